"""Rows of batches: reading those that are open, and the one way in which a batch changes its status."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import structlog

from services.scheduler import metrics
from services.scheduler.domain.batch import Batch
from services.scheduler.domain.batch_ports import BatchChangedError
from shared.contracts.batches import BatchStatus
from shared.errors import DatabaseUnavailableError
from shared.storage.postgres import Connection, Database
from shared.storage.webhook_batches import plan_batch_end

_OPEN = """
SELECT b.id, b.tenant_id, b.revision, b.status, b.endpoint, b.model, b.input_file_id, b.output_file_id,
       b.error_file_id, b.output_expires_s, b.traceparent, b.expires_at, b.total, b.inserted, b.input_offset,
       b.gathered, b.completed, b.expired, coalesce(n.open, 0)::integer AS open,
       coalesce(n.waiting, 0)::integer AS waiting, n.first_open
FROM batches b
LEFT JOIN LATERAL (
    SELECT count(*) AS open, count(*) FILTER (WHERE j.status = 'queued') AS waiting,
           min(j.batch_line) AS first_open
    FROM jobs j
    WHERE j.batch_id = b.id AND j.batch_line > b.gathered AND j.status IN ('queued', 'in_progress')
) n ON b.inserted > b.gathered
WHERE b.status IN ('validating', 'in_progress', 'finalizing', 'cancelling')
ORDER BY b.id
"""
_LOCK = "SELECT revision FROM batches WHERE id = $1 FOR UPDATE"
_STATUS = """
UPDATE batches SET
    status = $2,
    in_progress_at = CASE $2 WHEN 'in_progress' THEN $3 ELSE in_progress_at END,
    finalizing_at = CASE $2 WHEN 'finalizing' THEN $3 ELSE finalizing_at END,
    completed_at = CASE $2 WHEN 'completed' THEN $3 ELSE completed_at END,
    failed_at = CASE $2 WHEN 'failed' THEN $3 ELSE failed_at END,
    expired_at = CASE $2 WHEN 'expired' THEN $3 ELSE expired_at END,
    cancelled_at = CASE $2 WHEN 'cancelled' THEN $3 ELSE cancelled_at END
WHERE id = $1
"""
_NEXT = "UPDATE batches SET revision = revision + 1 WHERE id = $1"
_log = structlog.get_logger(__name__)


async def open_batches(database: Database) -> Sequence[Batch]:
    """Read those that have not their end, the oldest first."""
    async with database.connection() as connection:
        rows = await connection.fetch(_OPEN)
    return [Batch(**{**row, "status": BatchStatus(row["status"])}) for row in rows]


@asynccontextmanager
async def changing(database: Database, batch: Batch) -> AsyncIterator[Connection]:
    """Lend a transaction that changes a batch; it ends with the next revision.

    Raises:
        BatchChangedError: The batch is not any more what was read; nothing is changed.
        DatabaseUnavailableError: Nothing is certain; read the batch again.
    """
    try:
        async with database.transaction() as connection:
            if await connection.fetchval(_LOCK, batch.id) != batch.revision:
                raise BatchChangedError("Somebody else has changed the batch.")
            yield connection
            await connection.execute(_NEXT, batch.id)
    except asyncpg.PostgresError as error:  # a deadlock, a partition still to come
        raise DatabaseUnavailableError(f"PostgreSQL refuses ({error.sqlstate}).") from error


async def change_status(connection: Connection, batch: Batch, status: BatchStatus) -> None:
    """Give a batch its next status; every one but the caller's ``cancelling`` is given here.

    A final one comes last in its transaction: webhooks tell of the batch as it is then.
    """
    await connection.execute(_STATUS, batch.id, status.value, datetime.now(UTC))
    if status.final:
        await plan_batch_end(connection, tenant_id=batch.tenant_id, batch_id=batch.id)
        metrics.BATCHES.labels(status.value).inc()
        _log.info("batch ended", batch=str(batch.id), status=status.value)
