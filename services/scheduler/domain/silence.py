"""Finds jobs that the broker has lost: published, mentioned by no worker, and their queue is empty."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from services.scheduler import metrics
from shared.contracts.jobs import Lane, Operation
from shared.messaging.broker import Broker, QueueStats
from shared.messaging.topology import RESULTS_QUEUE, job_queue

_log = structlog.get_logger(__name__)

FRESH_S = 10.0
"""Results that wait for less than this hide no sign of life that matters."""
SMALL_BACKLOG = 500
"""The same where the broker does not tell ages: results this many are recorded in less than a second."""


Kind = tuple[Operation, Lane]


class SilentJobs(Protocol):
    """Jobs that were published and that nobody has mentioned since."""

    async def kinds(self, *, after_s: float) -> Sequence[Kind]:
        """Say which queues they should be on."""

    async def renew(self, kind: Kind, *, after_s: float, limit: int) -> int:
        """Let the sweep publish them anew, under the next publication number; returns how many."""


@dataclass(slots=True, kw_only=True)
class SilenceWatch:
    """The task.

    A queue that was empty once has given all that was published before to workers, who name what they
    have every few seconds. Whatever of it is still silent ``grace_s`` later is lost. While results are not
    recorded in time, silence says nothing about the workers, so nothing is done.
    """

    jobs: SilentJobs
    broker: Broker
    after_s: float
    grace_s: float
    batch: int
    clock: Callable[[], float] = time.monotonic
    _seen_empty: dict[Kind, float] = field(default_factory=dict)

    async def __call__(self) -> float | None:
        """Renew what is lost."""
        kinds = await self.jobs.kinds(after_s=self.after_s)
        if not kinds or _late(await self.broker.stats(RESULTS_QUEUE)):
            return None
        looked_at = self.clock()
        empty = [kind for kind in kinds if await self._empty(*kind)]
        self._seen_empty = {kind: self._seen_empty.get(kind, looked_at) for kind in empty}
        for kind in empty:
            age_s = looked_at - self._seen_empty[kind]
            if age_s >= self.grace_s:
                await self._renew(kind, after_s=max(self.after_s, age_s))
                self._seen_empty[kind] = looked_at
        return None

    async def _renew(self, kind: Kind, *, after_s: float) -> None:
        """Renew all of a kind: what is renewed first fills the queue, and the rest is lost all the same."""
        renewed = self.batch
        while renewed == self.batch:
            renewed = await self.jobs.renew(kind, after_s=after_s, limit=self.batch)
            metrics.REPUBLISHED.inc(renewed)
            if renewed:
                _log.warning("silent jobs put on the broker again", jobs=renewed, kind=".".join(kind))

    async def _empty(self, operation: Operation, lane: Lane) -> bool:
        stats = await self.broker.stats(job_queue(operation, lane), with_age=False)
        return stats.ready == 0 and not stats.paused


def _late(results: QueueStats) -> bool:
    if results.oldest_age_s is not None:
        return results.oldest_age_s > FRESH_S
    return results.ready > SMALL_BACKLOG
