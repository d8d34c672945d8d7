"""Deliveries of one queue that wait here: the earliest deadline first, and none for ever."""

import math
from collections import deque
from collections.abc import Iterator
from heapq import heapify, heappop, heappush

from shared.messaging.broker import Delivery

OLDEST_EVERY = 8
"""Of so many deliveries that are taken, one is the one that has been here for longest."""

_SPARE = 64
"""Numbers of deliveries that are gone which are not worth removing."""


class ByDeadline:
    """A buffer that is taken from by deadline (``Message.expires_at``); without one is after all others.

    Equal deadlines go in the order of arrival. A delivery that came among n others is taken after at most
    8·(n + 1) takes, however many with earlier deadlines follow: a far deadline delays, it does not starve.
    """

    __slots__ = ("_arrivals", "_heap", "_number", "_takes", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[int, Delivery] = {}
        # Both orders name deliveries by number; what the other order took first is skipped later.
        self._heap: list[tuple[float, int]] = []
        self._arrivals: deque[int] = deque()
        self._number = 0
        self._takes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, delivery: object) -> bool:
        return delivery in self._waiting.values()

    def __iter__(self) -> Iterator[Delivery]:
        yield from self._waiting.values()

    def add(self, delivery: Delivery) -> None:
        """Put in."""
        expires_at = delivery.message.expires_at
        if len(self._heap) + len(self._arrivals) > 4 * len(self._waiting) + _SPARE:
            self._tidy()
        self._number += 1
        self._waiting[self._number] = delivery
        heappush(self._heap, (math.inf if expires_at is None else expires_at.timestamp(), self._number))
        self._arrivals.append(self._number)

    def take(self) -> Delivery:
        """Remove the next one.

        Raises:
            IndexError: There is none.
        """
        self._takes += 1
        if self._takes % OLDEST_EVERY == 0:
            number = self._arrivals.popleft()
            while number not in self._waiting:
                number = self._arrivals.popleft()
        else:
            number = heappop(self._heap)[1]
            while number not in self._waiting:
                number = heappop(self._heap)[1]
        taken = self._waiting.pop(number)
        if not self._waiting:
            self._forget()
        return taken

    def clear(self) -> list[Delivery]:
        """Remove and return everything, in the order of arrival."""
        taken = list(self._waiting.values())
        self._waiting.clear()
        self._forget()
        return taken

    def _tidy(self) -> None:
        """Drop the numbers of what is gone: those with far deadlines would pile up."""
        self._heap = [entry for entry in self._heap if entry[1] in self._waiting]
        heapify(self._heap)
        self._arrivals = deque(self._waiting)

    def _forget(self) -> None:
        self._heap.clear()
        self._arrivals.clear()
