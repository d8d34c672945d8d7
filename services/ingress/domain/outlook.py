"""What ingress knows of one queue between two estimates of the backlog."""

from dataclasses import dataclass

from shared.contracts.backlog import QueueEstimate

STALE_S = 5.0
"""An estimate that is older than this is forgotten: nobody estimates any more."""


@dataclass(slots=True)
class Outlook:
    """The last estimate and what came since.

    waiting now = waiting then + accepted here since + accepted elsewhere since - done since

    where what others accept is the rate of all arrivals between the last two estimates less what was
    accepted here in that time, and what is done is the drain rate times the time. Times are seconds of
    one monotonic clock.
    """

    estimate: QueueEstimate | None = None
    heard_at: float = 0.0
    term: str = ""
    accepted: int = 0
    """Here, since the last estimate."""
    elsewhere_per_s: float = 0.0
    """Accepted by others."""

    def hear(self, estimate: QueueEstimate, *, term: str, now: float) -> int:
        """Take over a new estimate; returns how many jobs arrived since the one before."""
        before, passed_s = self.estimate, now - self.heard_at
        arrived = 0
        self.elsewhere_per_s = 0.0
        if before is not None and term == self.term and passed_s > 0:
            arrived = max(0, estimate.arrived - before.arrived)
            self.elsewhere_per_s = max(0.0, (arrived - self.accepted) / passed_s)
        self.estimate, self.heard_at, self.term, self.accepted = estimate, now, term, 0
        return arrived

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
