"""Estimates every second what waits in each queue and how long that takes, and tells everybody."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

from services.scheduler.domain.queue_track import Look, QueueTrack
from services.scheduler.domain.worker_loads import WorkerLoads
from shared.contracts.backlog import BacklogEstimated, QueueEstimate
from shared.contracts.jobs import Lane, Operation
from shared.messaging.broker import Broker, Message
from shared.messaging.topology import job_queue

MOST_OF_THE_TIME = 0.05
"""Share of the time that looking may take: where queues are so long that a look is slow, it is rarer."""

LONGEST_PAUSE_S = 3.0
"""But not as rare as would leave ingress without an estimate."""

Kind = tuple[Operation, Lane]


class Unpublished(Protocol):
    """Jobs that are due and not on the broker."""

    async def counts(self) -> Mapping[Kind, int]:
        """Count them by queue; cheap where there are none."""


@dataclass(frozen=True, slots=True)
class QueueReport:
    """What is known of a queue, for operators."""

    queue: str
    estimate: QueueEstimate
    slot_s: float | None
    """Seconds that a job takes in its slot, on average; None while none was done lately."""


class Board(Protocol):
    """Where operators look."""

    def show(self, reports: Sequence[QueueReport]) -> None:
        """Replace what is shown."""


@dataclass(slots=True, kw_only=True)
class BacklogWatch:
    """The task."""

    broker: Broker
    loads: WorkerLoads
    unpublished: Unpublished
    board: Board
    wall_clock: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    _term: str = field(default_factory=lambda: uuid4().hex[:12])
    _not_before: float = 0.0
    _tracks: dict[str, QueueTrack] = field(
        default_factory=lambda: {
            job_queue(operation, lane): QueueTrack(operation, lane)
            for operation in Operation
            for lane in Lane
        }
    )

    async def __call__(self) -> float | None:
        """Look, estimate, tell."""
        began = self.clock()
        if began < self._not_before:
            return None
        reports = await self._look()
        self._not_before = began + min(LONGEST_PAUSE_S, (self.clock() - began) / MOST_OF_THE_TIME)
        self.board.show(reports)
        told = tuple(report.estimate for report in reports if report.estimate.active)
        estimated = BacklogEstimated(term=self._term, queues=told)
        await self.broker.broadcast(Message(type=estimated.message_type, body=estimated.encode()))
        return None

    async def _look(self) -> Sequence[QueueReport]:
        unpublished = await self.unpublished.counts()
        depths = await self.broker.depths(list(self._tracks))
        self.loads.forget_the_gone()
        now = self.wall_clock()
        reports = []
        for queue, track in self._tracks.items():
            left = unpublished.get((track.operation, track.lane), 0)
            estimate = track.note(Look(now, depths[queue], self.loads.of(queue), left))
            reports.append(QueueReport(queue, estimate, track.rate.slot_s()))
        return reports
