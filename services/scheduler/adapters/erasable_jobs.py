"""Jobs whose contents are to be erased, in the jobs table."""

from services.scheduler.domain.erasure import Bodies
from shared.storage.postgres import Database

# In the order of their ids, as whoever locks several jobs must.
_LOCK = """
SELECT id, request_ref, result_ref FROM jobs
WHERE id IN (SELECT id FROM jobs WHERE erase_at <= now() ORDER BY erase_at LIMIT $1)
  AND erase_at <= now() AND status NOT IN ('queued', 'in_progress')
ORDER BY id FOR UPDATE SKIP LOCKED
"""

# A failure may quote the prompt.
_ERASE = """
WITH erased AS (
    UPDATE jobs SET
        request = NULL, request_ref = NULL, result = NULL, result_ref = NULL,
        failure = failure || '{"message": "The message is erased."}',
        erase_at = NULL, erased_at = now()
    WHERE id = ANY($1::uuid[]) AND id BETWEEN $2 AND $3
), attempts AS (
    UPDATE job_attempts SET failure = failure || '{"message": "The message is erased."}'
    WHERE job_id = ANY($1::uuid[]) AND job_id BETWEEN $2 AND $3 AND failure IS NOT NULL
)
DELETE FROM job_events WHERE job_id = ANY($1::uuid[]) AND job_id BETWEEN $2 AND $3
"""


class ErasableJobsTable:
    """The jobs of every tenant.

    Args:
        database: Acts as ``penstock_system``.
        bodies: Where large bodies are.
    """

    def __init__(self, database: Database, bodies: Bodies) -> None:
        self._database = database
        self._bodies = bodies

    async def erase_due(self, limit: int) -> int:
        """See ``ErasableJobs.erase_due``.

        Large bodies go first, while the jobs are locked: whatever fails then, the rows still name them.
        """
        async with self._database.transaction() as connection:
            rows = await connection.fetch(_LOCK, limit)
            if rows:
                refs = [ref for row in rows for ref in (row["request_ref"], row["result_ref"]) if ref]
                await self._bodies.delete(refs)
                ids = [row["id"] for row in rows]
                await connection.execute(_ERASE, ids, ids[0], ids[-1])
        return len(rows)
