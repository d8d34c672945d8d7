"""Expires jobs whose deadline has passed, and stops those that run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import structlog

from services.scheduler import metrics
from shared.contracts.jobs import Failure, JobCancelRequested, JobsChanged
from shared.errors import BrokerUnavailableError, DeadlineExceededError
from shared.http.errors import failure_of
from shared.messaging.broker import Broker, Message

_log = structlog.get_logger(__name__)

IDS_A_BROADCAST = 200
EXPIRED: Failure = failure_of(DeadlineExceededError("The deadline passed before the job was done."))


@dataclass(frozen=True, slots=True)
class ExpiredJob:
    """A job that was ended at its deadline."""

    job_id: UUID
    tenant_id: UUID
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
        try:
            for message in _announcements(expired):
                await self.broker.broadcast(message)
        except BrokerUnavailableError:  # waiters look by themselves; workers know the deadline, too
            _log.warning("expired jobs not announced", jobs=len(expired))
        return 0.0 if len(expired) == self.batch else None


def _announcements(expired: Sequence[ExpiredJob]) -> Iterable[Message]:
    for job in expired:
        if job.was_running:
            cancel = JobCancelRequested(job_id=job.job_id, tenant_id=job.tenant_id)
            yield Message(type=cancel.message_type, body=cancel.encode())
    for at in range(0, len(expired), IDS_A_BROADCAST):
        changed = JobsChanged(job_ids=tuple(job.job_id for job in expired[at : at + IDS_A_BROADCAST]))
        yield Message(type=changed.message_type, body=changed.encode())
