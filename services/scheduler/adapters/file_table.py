"""Rows of files that are gone."""

from collections.abc import Sequence
from datetime import timedelta

from services.scheduler.domain.file_retention import GoneFile
from shared.storage.postgres import Database

_EXPIRE = """
WITH over AS (
    UPDATE files SET state = 'deleted', touched_at = now() WHERE state = 'ready' AND expires_at <= now()
    RETURNING 1
)
SELECT count(*) FROM over
"""
_GONE = """
SELECT f.id, f.tenant_id FROM files f
WHERE (f.state = 'deleted' OR (f.state = 'writing' AND f.touched_at < now() - $1::interval))
  AND NOT EXISTS (
      SELECT FROM batches b
      WHERE b.status IN ('validating', 'in_progress', 'finalizing', 'cancelling')
        AND f.id IN (b.input_file_id, b.output_file_id, b.error_file_id)
  )
ORDER BY f.touched_at LIMIT $2
"""
_FORGET = "DELETE FROM files WHERE id = ANY($1::uuid[])"
_FORGET_BATCHES = """
DELETE FROM batches WHERE status IN ('completed', 'failed', 'expired', 'cancelled')
  AND greatest(completed_at, failed_at, expired_at, cancelled_at) < now() - $1::interval
"""


class FileTable:
    """The files of every tenant.

    Args:
        database: Acts as ``penstock_system``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def expire(self) -> int:
        """See ``Files.expire``."""
        async with self._database.connection() as connection:
            expired: int = await connection.fetchval(_EXPIRE)
        return expired

    async def gone(self, *, silent_s: float, limit: int) -> Sequence[GoneFile]:
        """See ``Files.gone``."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_GONE, timedelta(seconds=silent_s), limit)
        return [GoneFile(row["id"], row["tenant_id"]) for row in rows]

    async def forget(self, files: Sequence[GoneFile]) -> None:
        """See ``Files.forget``."""
        if files:
            async with self._database.connection() as connection:
                await connection.execute(_FORGET, [file.id for file in files])

    async def forget_batches(self, *, keep_days: int) -> None:
        """See ``Files.forget_batches``."""
        async with self._database.connection() as connection:
            await connection.execute(_FORGET_BATCHES, timedelta(days=keep_days))
