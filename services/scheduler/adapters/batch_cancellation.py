"""Ends the jobs of a cancelled batch."""

from datetime import UTC, datetime

from redis.asyncio import Redis

from services.scheduler.domain.batch import Batch
from shared.contracts.jobs import JobStatus
from shared.errors import JobCancelledError
from shared.http.errors import failure_of
from shared.messaging.announcements import announce_changes, announce_unwanted
from shared.messaging.broker import Broker
from shared.storage.cancel_marks import mark_cancelled
from shared.storage.postgres import Database
from shared.storage.transitions import JobEnd, finish_jobs

_OPEN = """
SELECT id, status, attempt FROM jobs WHERE batch_id = $1 AND status IN ('queued', 'in_progress')
ORDER BY batch_line LIMIT $2
"""
_FAILURE = failure_of(JobCancelledError("The batch was cancelled."))


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
        attempts = {row["id"]: row["attempt"] for row in rows}
        await mark_cancelled(self._redis, attempts)
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
        await announce_unwanted(self._broker, {job_id: attempts[job_id] for job_id in ended})
        await announce_changes(self._broker, list(ended))
        return len(rows)
