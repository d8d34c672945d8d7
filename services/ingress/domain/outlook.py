"""What ingress knows of one queue between two estimates of the backlog."""

from collections import deque
from dataclasses import dataclass, field

from shared.contracts.backlog import QueueEstimate

STALE_S = 5.0
"""An estimate that is older than this is forgotten: nobody estimates any more."""
SMOOTHED_OVER = 5
"""Estimates: broker, workers and ingress are not seen at the same moment."""


@dataclass(slots=True)
class Outlook:
    """The last estimate and what came since.

    waiting now = waiting then + accepted here since + accepted elsewhere since - done since

    where what others accept in a second is all arrivals during the last few estimates less what was
    accepted here in that time, and what is done is the drain rate times the time. Times are seconds of
    one monotonic clock.
    """

    estimate: QueueEstimate | None = None
    heard_at: float = 0.0
    term: str = ""
    accepted: int = 0
    """Here, since the last estimate."""
    _lately: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=SMOOTHED_OVER))
    """Seconds between two estimates, and how many jobs others accepted in them; less than none at times."""

    def hear(self, estimate: QueueEstimate, *, term: str, now: float) -> None:
        """Take over a new estimate."""
        before, passed_s = self.estimate, now - self.heard_at
        if before is None or term != self.term or passed_s > STALE_S:
            self._lately.clear()
        else:
            self._lately.append((passed_s, estimate.arrived - before.arrived - self.accepted))
        self.estimate, self.heard_at, self.term, self.accepted = estimate, now, term, 0

    @property
    def elsewhere_per_s(self) -> float:
        """Jobs that others accept in a second."""
        seconds = sum(passed_s for passed_s, _ in self._lately)
        return max(0.0, sum(jobs for _, jobs in self._lately) / seconds) if seconds else 0.0

    def waiting(self, now: float) -> float | None:
        """Say how many jobs wait; None while unknown."""
        if self.estimate is None or now - self.heard_at > STALE_S:
            return None
        passed_s = now - self.heard_at
        drained = (self.estimate.per_second or 0.0) * passed_s
        return max(0.0, self.estimate.waiting + self.accepted + self.elsewhere_per_s * passed_s - drained)

    @property
    def per_second(self) -> float | None:
        """Jobs that are done in a second while jobs wait; None while unknown."""
        return None if self.estimate is None else self.estimate.per_second
