"""Who is let in: nobody whose job would wait longer than its lane allows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.ingress.domain.outlook import Outlook
from shared.contracts.backlog import BacklogEstimated
from shared.contracts.jobs import Lane, Operation
from shared.errors import QueueFullError

UNKNOWN_RETRY_AFTER_S = 30.0
"""When to come back to a queue of which nobody knows how fast it empties."""


@dataclass(frozen=True, slots=True)
class LaneLimit:
    """How much may wait in each queue of a lane."""

    max_wait_s: float
    max_jobs: int


@dataclass(slots=True)
class _Gate:
    outlook: Outlook = field(default_factory=Outlook)
    shut: bool = False


class Admission:
    """One gate for each queue, by the estimates that are broadcast.

    A gate shuts when a job that came now would wait longer than the lane's ``max_wait_s``, or when
    ``max_jobs`` wait, and opens again below ``resume_share`` of that, so that it does not flap. Until then
    the answer says when that will be at the present drain rate. While nothing is known it is open.

    Args:
        limits: Of every lane.
        resume_share: From 0 to 1.
    """

    def __init__(self, limits: Mapping[Lane, LaneLimit], *, resume_share: float) -> None:
        self._limits = limits
        self._resume_share = resume_share
        self._gates = {(operation, lane): _Gate() for operation in Operation for lane in Lane}

    def hear(self, estimated: BacklogEstimated, now: float) -> None:
        """Take over a new estimate; of queues that it leaves out nothing waits."""
        told = {(estimate.operation, estimate.lane): estimate for estimate in estimated.queues}
        for queue, gate in self._gates.items():
            estimate = told.get(queue)
            if estimate is None:
                gate.outlook, gate.shut = Outlook(), False
            else:
                gate.outlook.hear(estimate, term=estimated.term, now=now)

    def admit(
        self, operation: Operation, lane: Lane, *, now: float, patience_s: float, jobs: int = 1
    ) -> None:
        """Let jobs into a queue, and count them.

        Args:
            operation: Of the jobs.
            lane: Of the jobs.
            now: Monotonic, in seconds.
            patience_s: Seconds until their deadline: jobs that would not begin by then are refused, too.
            jobs: How many; they come in together or not at all.

        Raises:
            QueueFullError: They are not let in.
        """
        gate = self._gates[operation, lane]
        waiting = gate.outlook.waiting(now)
        if waiting is not None:
            self._check(gate, lane, waiting, patience_s)
        gate.outlook.accepted += jobs

    def _check(self, gate: _Gate, lane: Lane, waiting: float, patience_s: float) -> None:
        limit, rate = self._limits[lane], gate.outlook.per_second
        most = float(limit.max_jobs) if rate is None else min(limit.max_jobs, limit.max_wait_s * rate)
        level = most * self._resume_share
        gate.shut = waiting > (level if gate.shut else most)
        if not gate.shut:
            if rate is None or waiting <= patience_s * rate:
                return
            level = patience_s * rate
        if rate is None:
            raise QueueFullError(
                f"{waiting:.0f} jobs wait in this queue; it takes {limit.max_jobs}.",
                retry_after_s=UNKNOWN_RETRY_AFTER_S,
            )
        raise QueueFullError(
            f"A job that came now would wait {waiting / rate:.0f} seconds in this queue.",
            retry_after_s=(waiting - level) / rate,
        )
