"""Ends the jobs of a cancelled batch."""

import asyncio
from datetime import UTC, datetime

import structlog
from redis.asyncio import Redis

from services.scheduler.domain.batch import Batch
from shared.contracts.jobs import JobCancelRequested, JobStatus
from shared.errors import JobCancelledError, PenstockError
from shared.http.errors import failure_of
from shared.messaging.announcements import announce_changes
from shared.messaging.broker import Broker, Message
from shared.storage.postgres import Database
from shared.storage.redis import JOB_KEY_TTL_S, REDIS_OUTAGE, cancelled_key
from shared.storage.transitions import JobEnd, finish_jobs

_OPEN = """
SELECT id FROM jobs WHERE batch_id = $1 AND status IN ('queued', 'in_progress')
ORDER BY batch_line LIMIT $2
"""
_FAILURE = failure_of(JobCancelledError("The batch was cancelled."))
_log = structlog.get_logger(__name__)


class JobsOfCancelledBatches:
    """Marks jobs as unwanted before it ends them, so that no worker begins one in between.

    Args:
        database: Acts as ``penstock_system``.
        redis: Keeps the marks.
        broker: Tells the workers that run some, and whoever waits.
    """

    def __init__(self, database: Database, redis: Redis, broker: Broker) -> None:
        self._database = database
        self._redis = redis
        self._broker = broker

    async def cancel(self, batch: Batch, *, most: int) -> int:
        """See ``BatchCancellation.cancel``."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_OPEN, batch.id, most)
        await self._mark([cancelled_key(row["id"]) for row in rows])
        now = datetime.now(UTC)
        async with self._database.transaction() as connection:
            ended = await finish_jobs(
                connection,
                [
                    JobEnd(job_id=row["id"], status=JobStatus.CANCELLED, finished_at=now, failure=_FAILURE)
                    for row in rows
                ],
            )
        # Also those that count as queued: a worker may have begun one before the mark.
        async with asyncio.TaskGroup() as group:
            for job_id in ended:
                cancel = JobCancelRequested(job_id=job_id, tenant_id=batch.tenant_id)
                group.create_task(self._stop(cancel))
        await announce_changes(self._broker, list(ended))
        return len(rows)

    async def _mark(self, keys: list[str]) -> None:
        try:
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.set(key, 1, ex=JOB_KEY_TTL_S)
            await pipeline.execute()
        except REDIS_OUTAGE as error:
            _log.warning("cancellations not kept in Redis", jobs=len(keys), reason=type(error).__name__)

    async def _stop(self, cancel: JobCancelRequested) -> None:
        try:
            await self._broker.broadcast(Message(type=cancel.message_type, body=cancel.encode()))
        except PenstockError as error:
            _log.warning("cancelled job not stopped", job_id=str(cancel.job_id), code=error.code)
