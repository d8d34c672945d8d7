"""Positions in queues, from what is known of arrivals and without counting a row."""

from dataclasses import dataclass, field

from services.ingress.domain.job import Job
from services.ingress.domain.outlook import STALE_S
from services.ingress.domain.place import Place
from shared.contracts.backlog import BacklogEstimated, QueueEstimate
from shared.contracts.jobs import JobStatus, Lane, Operation
from shared.messaging.arrivals import ArrivalHistory


@dataclass(slots=True)
class _Line:
    term: str
    estimate: QueueEstimate
    arrived: int = 0
    """Since this process began to hear; the sender's own count begins anew with every leader."""
    arrivals: ArrivalHistory = field(default_factory=ArrivalHistory)


class Places:
    """The arrivals of every queue, as far as this process has heard of them.

    A job's place = jobs that wait - jobs that came after it. Times are Unix time.
    """

    def __init__(self) -> None:
        self._lines: dict[tuple[Operation, Lane], _Line] = {}
        self._heard_at = 0.0

    def hear(self, estimated: BacklogEstimated, now: float) -> None:
        """Take over a new estimate."""
        self._heard_at = max(now, self._heard_at)
        told = {(estimate.operation, estimate.lane) for estimate in estimated.queues}
        for queue in self._lines.keys() - told:  # nothing waits there
            del self._lines[queue]
        for estimate in estimated.queues:
            line = self._lines.setdefault(
                (estimate.operation, estimate.lane), _Line(estimated.term, estimate)
            )
            if line.term == estimated.term:
                line.arrived += max(0, estimate.arrived - line.estimate.arrived)
            line.term, line.estimate = estimated.term, estimate
            line.arrivals.note(self._heard_at, line.arrived)

    def of(self, job: Job, now: float) -> Place | None:
        """Say where a job stands; None when it does not wait, or nobody knows."""
        line = self._lines.get((Operation(job.operation), Lane(job.lane)))
        if (
            line is None
            or job.status is not JobStatus.QUEUED
            or job.published_at is None
            or now - self._heard_at > STALE_S
        ):
            return None
        after = line.arrivals.since(job.published_at.timestamp())
        position = max(1, min(line.estimate.waiting, round(line.estimate.waiting - after)))
        rate = line.estimate.per_second
        return Place(position, None if rate is None else position / rate)
