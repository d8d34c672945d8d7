"""When jobs came to a queue, remembered in little space: for positions and ages without counting rows."""

from bisect import bisect_right

KEPT = 1024
"""Looks that are remembered; of the older half, every second one goes when there are more."""


class ArrivalHistory:
    """A counter of arrivals as it was at many moments; between two of them it is taken to be a line.

    Of n looks in intervals of a second, the latest few hundred are kept, before that every second one,
    before that every fourth: a job's place is known to the second lately and to a minute of a day ago.
    """

    def __init__(self) -> None:
        self._moments: list[float] = []
        self._counts: list[float] = []

    def note(self, at: float, count: float) -> None:
        """Remember that ``count`` jobs had come by the moment ``at``; both only grow."""
        self._moments.append(at)
        self._counts.append(count)
        if len(self._moments) > KEPT:
            half = KEPT // 2
            self._moments[:half] = self._moments[:half:2]
            self._counts[:half] = self._counts[:half:2]

    def since(self, at: float) -> float:
        """Say how many jobs came after a moment; after the first look, if that is later."""
        if not self._moments:
            return 0.0
        return self._counts[-1] - _line(self._moments, self._counts, at)

    def age_of(self, waiting: float, now: float) -> float:
        """Say how long ago the first of the last ``waiting`` jobs came; since the first look at least."""
        if not self._moments:
            return 0.0
        return max(0.0, now - _line(self._counts, self._moments, self._counts[-1] - waiting))


def _line(xs: list[float], ys: list[float], x: float) -> float:
    """Interpolate; outside of what is known, the nearest value."""
    right = bisect_right(xs, x)
    if right == 0:
        return ys[0]
    if right == len(xs):
        return ys[-1]
    left = right - 1
    return ys[left] + (x - xs[left]) / (xs[right] - xs[left]) * (ys[right] - ys[left])
