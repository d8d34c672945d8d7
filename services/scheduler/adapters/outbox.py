"""The outbox table, as the sweep uses it."""

from collections.abc import Sequence
from datetime import timedelta

import asyncpg
import structlog
from pydantic import ValidationError

from services.scheduler.domain.sweep import DueJob, OutboxLook
from shared.contracts.jobs import JobRequested, Lane, Operation
from shared.storage.outbox import Publication, mark_published
from shared.storage.postgres import Database

_log = structlog.get_logger(__name__)

_LOOK = """
SELECT extract(epoch FROM now() - (SELECT min(due_at) FROM outbox
                                   WHERE published_at IS NULL AND due_at <= now()))::float8 AS overdue_s,
       extract(epoch FROM (SELECT min(due_at) FROM outbox
                           WHERE published_at IS NULL AND due_at > now()) - now())::float8 AS next_due_s
"""

CHOICE = 4
"""Of so many batches of jobs that have been due for longest, those with the earliest deadlines go first."""

# LATERAL with OFFSET 0 looks each job up by its key, whatever the planner thinks of the number of jobs.
_CLAIM = """
WITH longest_due AS MATERIALIZED (
    SELECT job_id FROM outbox
    WHERE published_at IS NULL AND due_at <= now() AND (tried_at IS NULL OR tried_at <= now() - $2::interval)
    ORDER BY due_at LIMIT $3
), urgent AS MATERIALIZED (
    SELECT d.job_id FROM longest_due d,
         LATERAL (SELECT deadline_at FROM jobs WHERE id = d.job_id OFFSET 0) j
    ORDER BY j.deadline_at LIMIT $1
), due AS (
    SELECT job_id FROM outbox
    WHERE job_id = ANY (ARRAY(SELECT job_id FROM urgent))
      AND published_at IS NULL AND (tried_at IS NULL OR tried_at <= now() - $2::interval)
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE outbox o SET tried_at = now() FROM due WHERE o.job_id = due.job_id
    RETURNING o.job_id, o.attempt, o.publication
)
SELECT j.id, j.tenant_id, j.request_id, j.operation, j.lane, j.model, j.stream, j.deadline_at, j.created_at,
       j.max_attempts, j.request, j.request_ref, j.traceparent, c.attempt, c.publication
FROM claimed c JOIN jobs j ON j.id = c.job_id
"""


class OutboxTable:
    """The outbox of every tenant.

    Args:
        database: Acts as ``penstock_system``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def look(self) -> OutboxLook:
        """See ``Outbox.look``: two ends of one small index."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_LOOK)
        return OutboxLook(row["overdue_s"], row["next_due_s"])

    async def claim(self, limit: int, *, retry_s: float) -> tuple[Sequence[DueJob], int]:
        """See ``Outbox.claim``: no row stays locked while the jobs are published."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_CLAIM, limit, timedelta(seconds=retry_s), CHOICE * limit)
        return [job for row in rows if (job := _due_job(row)) is not None], len(rows)

    async def mark(self, published: Sequence[Publication]) -> None:
        """See ``Outbox.mark``."""
        if published:
            async with self._database.connection() as connection:
                await mark_published(connection, published)


def _due_job(row: asyncpg.Record) -> DueJob | None:
    """Read a row; one that cannot be read is left to its deadline."""
    try:
        request = JobRequested(
            job_id=row["id"],
            tenant_id=row["tenant_id"],
            request_id=row["request_id"],
            operation=Operation(row["operation"]),
            lane=Lane(row["lane"]),
            model=row["model"],
            stream=row["stream"],
            background=True,
            deadline_at=row["deadline_at"],
            created_at=row["created_at"],
            attempt=row["attempt"],
            max_attempts=row["max_attempts"],
            publication=row["publication"],
            body=(row["request"] or "").encode(),
            body_ref=row["request_ref"],
        )
    except (ValidationError, ValueError):
        _log.error("job cannot be published: its row is not a request", job_id=str(row["id"]))
        return None
    return DueJob(request, row["traceparent"])
