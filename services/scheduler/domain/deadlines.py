"""Expires jobs whose deadline has passed, and stops those that run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import structlog

from services.scheduler import metrics
from shared.contracts.jobs import Failure, JobCancelRequested
from shared.errors import DeadlineExceededError, PenstockError
from shared.http.errors import failure_of
from shared.messaging.announcements import announce_changes
from shared.messaging.broker import Broker, Message

_log = structlog.get_logger(__name__)

EXPIRED: Failure = failure_of(DeadlineExceededError("The deadline passed before the job was done."))


@dataclass(frozen=True, slots=True)
class ExpiredJob:
    """A job that was ended at its deadline."""

    job_id: UUID
    tenant_id: UUID
    attempt: int
    was_running: bool


class Deadlines(Protocol):
    """Open jobs by their deadline."""

    async def expire(self, failure: Failure, *, grace_s: float, limit: int) -> Sequence[ExpiredJob]:
        """End jobs whose deadline passed ``grace_s`` ago, the earliest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineReaper:
    """The task."""

    deadlines: Deadlines
    broker: Broker
    grace_s: float
    batch: int

    async def __call__(self) -> float | None:
        """Expire one batch."""
        expired = await self.deadlines.expire(EXPIRED, grace_s=self.grace_s, limit=self.batch)
        metrics.REAPED.inc(len(expired))
        for job in expired:
            if job.was_running:
                await self._stop(job)
        await announce_changes(self.broker, [job.job_id for job in expired])
        return 0.0 if len(expired) == self.batch else None

    async def _stop(self, job: ExpiredJob) -> None:
        """Tell the worker that has the job; if that is lost, the worker knows the deadline, too."""
        cancel = JobCancelRequested(job_id=job.job_id, tenant_id=job.tenant_id, attempt=job.attempt)
        try:
            await self.broker.broadcast(Message(type=cancel.message_type, body=cancel.encode()))
        except PenstockError as error:
            _log.warning("expired job not stopped", job_id=str(job.job_id), code=error.code)
