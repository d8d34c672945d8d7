"""Open jobs by their deadline, in the jobs table."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from services.scheduler.domain.deadlines import ExpiredJob
from shared.contracts.jobs import Failure, JobStatus
from shared.runtime.crash_points import CrashPoint, crash_points
from shared.storage.postgres import Database
from shared.storage.transitions import JobEnd, finish_jobs

_OVERDUE = """
SELECT id, tenant_id, status, attempt FROM jobs
WHERE status IN ('queued', 'in_progress') AND deadline_at <= now() - $1::interval
ORDER BY deadline_at LIMIT $2
"""


class DeadlinesTable:
    """The deadlines of every tenant's jobs.

    Args:
        database: Acts as ``penstock_system``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def expire(self, failure: Failure, *, grace_s: float, limit: int) -> Sequence[ExpiredJob]:
        """See ``Deadlines.expire``; a job that ends otherwise in the same moment stays as it is."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(_OVERDUE, timedelta(seconds=grace_s), limit)
            now = datetime.now(UTC)
            changed = await finish_jobs(
                connection,
                [
                    JobEnd(job_id=row["id"], status=JobStatus.EXPIRED, finished_at=now, failure=failure)
                    for row in rows
                ],
            )
        if changed:
            crash_points.reach(CrashPoint.EXPIRE_COMMITTED)
        return [
            ExpiredJob(
                row["id"],
                row["tenant_id"],
                row["attempt"],
                was_running=row["status"] == JobStatus.IN_PROGRESS,
            )
            for row in rows
            if row["id"] in changed
        ]
