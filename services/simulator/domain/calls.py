"""How often each key was called, and how the calls ended: what a fault test asks afterwards."""

from asyncio import CancelledError
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Count:
    """Calls of one key."""

    calls: int = 0
    active: int = 0
    """Under way now."""
    aborted: int = 0
    """Ended by the client, before the answer was complete."""


class CallLedger:
    """Counts in memory; ``""`` is the key of calls that named none.

    Args:
        remembered_keys: How many keys are kept; then the one that appeared first is forgotten.
    """

    def __init__(self, remembered_keys: int) -> None:
        self._remembered_keys = remembered_keys
        self._counts: dict[str, Count] = {}

    @contextmanager
    def call(self, key: str) -> Iterator[int]:
        """Account for one call; yields its number among the calls of ``key``, from 1.

        A call that is cancelled, or cannot write to its client any more, was aborted.
        """
        count = self._counts.get(key)
        if count is None:
            if len(self._counts) >= self._remembered_keys:
                del self._counts[next(iter(self._counts))]
            count = self._counts[key] = Count()
        count.calls += 1
        count.active += 1
        try:
            yield count.calls
        except (CancelledError, ConnectionError):
            count.aborted += 1
            raise
        finally:
            count.active -= 1

    def of(self, key: str) -> dict[str, int]:
        """Return ``calls``, ``active`` and ``aborted`` of one key."""
        return asdict(self._counts.get(key) or Count())

    def total(self) -> dict[str, int]:
        """Return the sums over every key that is remembered."""
        counts = self._counts.values()
        return {
            "calls": sum(count.calls for count in counts),
            "active": sum(count.active for count in counts),
            "aborted": sum(count.aborted for count in counts),
            "keys": len(counts),
        }

    def forget(self) -> None:
        """Start anew; calls under way are no longer counted."""
        self._counts.clear()
