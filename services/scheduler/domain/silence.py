"""Finds jobs that the broker has lost: published, mentioned by no worker, and their queue is empty."""

from collections.abc import Sequence
from dataclasses import dataclass
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


class SilentJobs(Protocol):
    """Jobs that were published and that nobody has mentioned since."""

    async def kinds(self, *, after_s: float) -> Sequence[tuple[Operation, Lane]]:
        """Say which queues they should be on."""

    async def renew(self, kinds: Sequence[tuple[Operation, Lane]], *, after_s: float, limit: int) -> int:
        """Let the sweep publish them anew, under the next publication number; returns how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceWatch:
    """The task.

    While results are not recorded in time, silence says nothing about the workers, so nothing is done.
    """

    jobs: SilentJobs
    broker: Broker
    after_s: float
    batch: int

    async def __call__(self) -> float | None:
        """Renew one batch."""
        kinds = await self.jobs.kinds(after_s=self.after_s)
        if not kinds or _late(await self.broker.stats(RESULTS_QUEUE)):
            return None
        empty = [kind for kind in kinds if await self._empty(*kind)]
        if not empty:
            return None
        renewed = await self.jobs.renew(empty, after_s=self.after_s, limit=self.batch)
        metrics.REPUBLISHED.inc(renewed)
        if renewed:
            _log.warning("silent jobs put on the broker again", jobs=renewed)
        return 0.0 if renewed == self.batch else None

    async def _empty(self, operation: Operation, lane: Lane) -> bool:
        stats = await self.broker.stats(job_queue(operation, lane), with_age=False)
        return stats.ready == 0 and not stats.paused


def _late(results: QueueStats) -> bool:
    if results.oldest_age_s is not None:
        return results.oldest_age_s > FRESH_S
    return results.ready > SMALL_BACKLOG
