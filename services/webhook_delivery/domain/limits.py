"""How many requests at a time each receiver gets: fewer while it fails, so that nobody waits for it."""

from collections import OrderedDict
from collections.abc import Mapping
from uuid import UUID

_FIRST = 4
_REMEMBERED = 2000


class TargetLimits:
    """A window for each receiver, as in congestion control: doubled by a success, one after a failure.

    Args:
        most: The largest window.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._first = min(_FIRST, most)
        self._windows: OrderedDict[UUID, int] = OrderedDict()
        self._running: dict[UUID, int] = {}

    @property
    def default(self) -> int:
        """Room of a receiver that is not in :meth:`room`."""
        return self._first

    def room(self) -> Mapping[UUID, int]:
        """How many more requests each known receiver may get now."""
        known = {
            target: max(window - self._running.get(target, 0), 0) for target, window in self._windows.items()
        }
        for target, running in self._running.items():
            known.setdefault(target, max(self._first - running, 0))
        return known

    def began(self, target: UUID) -> None:
        """Count a request."""
        self._running[target] = self._running.get(target, 0) + 1

    def ended(self, target: UUID) -> None:
        """Count it no more."""
        left = self._running[target] - 1
        if left:
            self._running[target] = left
        else:
            del self._running[target]

    def answered(self, target: UUID, *, well: bool) -> None:
        """Learn from an attempt; who was not heard of for longest is forgotten first."""
        window = self._windows.get(target, self._first)
        self._windows[target] = min(window * 2, self._most) if well else 1
        self._windows.move_to_end(target)
        if len(self._windows) > _REMEMBERED:
            self._windows.popitem(last=False)
