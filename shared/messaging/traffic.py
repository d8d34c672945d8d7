"""How much goes through this process, by name, over the last seconds."""

import time
from collections import deque
from collections.abc import Callable

WINDOW_S = 10


class Traffic:
    """Counts in whole seconds, and keeps as many of them as it takes to tell a rate.

    Args:
        clock: Monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._seconds: deque[tuple[int, dict[str, int]]] = deque()

    def count(self, name: str) -> None:
        """One more."""
        second = int(self._clock())
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append((second, {}))
            if self._seconds[0][0] <= second - WINDOW_S:
                self._seconds.popleft()
        counts = self._seconds[-1][1]
        counts[name] = counts.get(name, 0) + 1

    def rates(self) -> dict[str, float]:
        """Return how many a second, over the last :data:`WINDOW_S` seconds or this process's life."""
        now = self._clock()
        first = int(now) - WINDOW_S + 1
        totals: dict[str, int] = {}
        for second, counts in self._seconds:
            if second >= first:
                for name, count in counts.items():
                    totals[name] = totals.get(name, 0) + count
        span_s = max(1.0, now - max(first, self._began))
        return {name: total / span_s for name, total in totals.items()}
