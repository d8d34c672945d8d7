"""Publishes jobs that are due and not on the broker: the publish that was lost, and the retry."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from services.scheduler import metrics
from shared.contracts.jobs import JobRequested
from shared.errors import PenstockError
from shared.messaging.broker import Broker, Message
from shared.messaging.topology import job_topic
from shared.storage.outbox import Publication

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DueJob:
    """A job to be published now."""

    request: JobRequested
    traceparent: str | None

    @property
    def publication(self) -> Publication:
        """What to mark when it is on the broker."""
        return Publication(self.request.job_id, self.request.attempt, self.request.publication)


@dataclass(frozen=True, slots=True)
class OutboxLook:
    """One look at what is not published."""

    overdue_s: float | None
    """How long the oldest due job has been due; None when none is."""
    next_due_s: float | None
    """Seconds until the next job becomes due; None when none will."""


class Outbox(Protocol):
    """The rows of jobs that are not final."""

    async def look(self) -> OutboxLook:
        """See whether there is anything to do; cheap."""

    async def claim(self, limit: int, *, retry_s: float) -> tuple[Sequence[DueJob], int]:
        """Take due jobs that nobody tried within ``retry_s``; returns them and how many were claimed.

        Of those that have been due for longest, the earliest deadlines go first.
        """

    async def mark(self, published: Sequence[Publication]) -> None:
        """Note that these are on the broker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxSweep:
    """The task. What cannot be published stays unmarked and is tried again after ``retry_s``."""

    outbox: Outbox
    broker: Broker
    batch: int
    retry_s: float

    async def __call__(self) -> float | None:
        """Publish one batch; returns the seconds until the next one is worthwhile."""
        look = await self.outbox.look()
        metrics.OLDEST_UNPUBLISHED.set(look.overdue_s or 0.0)
        if look.overdue_s is None:
            return look.next_due_s
        due, claimed = await self.outbox.claim(self.batch, retry_s=self.retry_s)
        due = sorted(due, key=lambda job: job.request.deadline_at)
        outcomes = await asyncio.gather(*(self._publish(job) for job in due))
        published = [job.publication for job, done in zip(due, outcomes, strict=True) if done]
        await self.outbox.mark(published)
        metrics.SWEPT.inc(len(published))
        return 0.0 if claimed == self.batch and published else look.next_due_s

    async def _publish(self, job: DueJob) -> bool:
        request = job.request
        message = Message(
            type=request.message_type,
            body=request.encode(),
            headers={"traceparent": job.traceparent} if job.traceparent else {},
            correlation_id=str(request.job_id),
            expires_at=request.deadline_at,
        )
        try:
            await self.broker.publish(job_topic(request.operation, request.lane), message)
        except PenstockError as error:
            metrics.NOT_PUBLISHED.labels(error.code).inc()
            _log.warning("job not published", job_id=str(request.job_id), code=error.code)
            return False
        return True
