"""When jobs came to a queue, remembered in little space: for positions and ages without counting rows."""

from bisect import bisect_right

FINENESS = 128
"""Two looks that are remembered are no further apart than this fraction of how long ago they were."""
TIDY_EVERY = 128
"""So many new looks are all remembered."""


class ArrivalHistory:
    """A counter of arrivals as it was at many moments; between two of them it is taken to be a line.

    The longer ago, the fewer looks are kept: a moment is known to within 1 % of how long ago it was, or
    to the distance between two looks where that is more. Of looks in every second of a week some 1,200 stay.
    """

    def __init__(self) -> None:
        self._moments: list[float] = []
        self._counts: list[float] = []
        self._tidy_at = 2 * TIDY_EVERY

    def note(self, at: float, count: float) -> None:
        """Remember that ``count`` jobs had come by the moment ``at``; both only grow."""
        self._moments.append(at)
        self._counts.append(count)
        if len(self._moments) >= self._tidy_at:
            self._tidy(at)
            self._tidy_at = len(self._moments) + TIDY_EVERY

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

    def _tidy(self, now: float) -> None:
        moments, kept = self._moments, [0]
        for index in range(1, len(moments) - 1):
            after = moments[index + 1]
            if after - moments[kept[-1]] > (now - after) / FINENESS:
                kept.append(index)
        kept.append(len(moments) - 1)
        self._moments = [moments[index] for index in kept]
        self._counts = [self._counts[index] for index in kept]


def _line(xs: list[float], ys: list[float], x: float) -> float:
    """Interpolate; outside of what is known, the nearest value."""
    right = bisect_right(xs, x)
    if right == 0:
        return ys[0]
    if right == len(xs):
        return ys[-1]
    left = right - 1
    return ys[left] + (x - xs[left]) / (xs[right] - xs[left]) * (ys[right] - ys[left])
