"""Emptying a queue of jobs: each job gets its end before its message goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from redis.asyncio import Redis

from services.ingress.adapters.broker_link import BrokerLink
from services.ingress.adapters.patience import database_patience
from services.ingress.domain.fleet_queue import FleetQueue
from shared.contracts.jobs import Failure, JobFinished, JobRequested, JobStatus
from shared.errors import MalformedMessageError
from shared.messaging.announcements import announce_changes, announce_unwanted
from shared.messaging.broker import Message
from shared.messaging.topology import RESULTS_FINISHED
from shared.storage.cancel_marks import mark_cancelled
from shared.storage.postgres import Database
from shared.storage.transitions import JobEnd, finish_jobs

_log = structlog.get_logger()

MOST_AT_ONCE = 10_000
"""Messages that one call takes away; whoever means more calls again."""
PURGED = Failure(
    code="queue_purged",
    message="An operator emptied the queue before the job began.",
    kind="server_error",
    http_status=503,
)


@dataclass(slots=True)
class Purged:
    """What was taken away."""

    messages: int = 0
    cancelled: int = 0
    """Background jobs that have their end by this."""
    calls: int = 0
    """Synchronous calls whose callers were told."""
    unreadable: int = 0

    @property
    def more(self) -> bool:
        """Whether there may be others."""
        return self.messages >= MOST_AT_ONCE


class QueuePurge:
    """Cancels what waits in a queue.

    Args:
        link: The broker.
        database: As ``penstock_system``: a queue has jobs of every tenant.
        redis: Keeps a copy of a cancelled job from being run.
    """

    def __init__(self, link: BrokerLink, database: Database, redis: Redis) -> None:
        self._link = link
        self._database = database
        self._redis = redis

    async def run(self, queue: FleetQueue) -> Purged:
        """Take away what waits, at most :data:`MOST_AT_ONCE` messages; what a worker holds goes on.

        Raises:
            DependencyUnavailableError: The broker or PostgreSQL is away; batches that were done before
                are gone, the others wait as before.
        """
        await self._link.ping()
        purged = Purged()

        async def end(messages: Sequence[Message]) -> None:
            await self._end(messages, purged)

        purged.messages = await self._link.broker.purge(queue.name, end, limit=MOST_AT_ONCE)
        return purged

    async def _end(self, messages: Sequence[Message], purged: Purged) -> None:
        jobs: list[JobRequested] = []
        calls: list[tuple[JobRequested, Message]] = []
        for message in messages:
            try:
                request = JobRequested.decode(message.body)
            except MalformedMessageError:
                purged.unreadable += 1
                _log.warning("unreadable message purged", type=message.type, bytes=len(message.body))
                continue
            if request.background:
                jobs.append(request)
            else:
                calls.append((request, message))
        if jobs:
            purged.cancelled += await self._cancel(jobs)
        for request, message in calls:
            await self._tell_caller(request, message)
            purged.calls += 1

    async def _cancel(self, jobs: Sequence[JobRequested]) -> int:
        now = datetime.now(UTC)
        ends = [
            JobEnd(job_id=job.job_id, status=JobStatus.CANCELLED, finished_at=now, failure=PURGED)
            for job in jobs
        ]
        async with database_patience(), self._database.transaction() as connection:
            ended = await finish_jobs(connection, ends)
        attempts = {job.job_id: job.attempt for job in jobs}
        await mark_cancelled(self._redis, attempts)
        # Another copy of one may run.
        await announce_unwanted(self._link.broker, {job_id: attempts[job_id] for job_id in ended})
        await announce_changes(self._link.broker, sorted(ended))
        return len(ended)

    async def _tell_caller(self, request: JobRequested, message: Message) -> None:
        finished = JobFinished(
            **request.model_dump(
                include={"job_id", "tenant_id", "request_id", "operation", "lane", "model", "created_at"}
            ),
            status=JobStatus.CANCELLED,
            background=False,
            attempt=request.attempt,
            failure=PURGED,
            finished_at=datetime.now(UTC),
        )
        record = Message(
            type=finished.message_type, body=finished.encode(), correlation_id=message.correlation_id
        )
        await self._link.publish(RESULTS_FINISHED, record)
        if message.reply_to is not None:
            await self._link.broker.reply(message.reply_to, record)
