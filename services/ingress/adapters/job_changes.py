"""What callers change in jobs: cancel, retry, erase; each by compare-and-set, in one transaction."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog

from services.ingress.adapters.patience import database_patience
from services.ingress.domain.retrying import RetryTerms
from shared.contracts.jobs import JobStatus
from shared.errors import JobCancelledError, ObjectStoreUnavailableError
from shared.http.errors import failure_of
from shared.storage.bodies import BodyStore
from shared.storage.postgres import Connection, Database
from shared.storage.transitions import JobEnd, finish_jobs

_log = structlog.get_logger()

_ATTEMPTS = "SELECT id, attempt FROM jobs WHERE id = ANY($1::uuid[]) AND id BETWEEN $2 AND $3"

# Dropping days without open jobs takes the same lock, so that a job's day does not go while it is reopened.
_KEEP_DAYS = "SELECT pg_advisory_xact_lock_shared(hashtext('penstock.partitions'))"

_LOCK_RETRYABLE = """
SELECT id, result_ref FROM jobs
WHERE id = ANY($1::uuid[]) AND id BETWEEN $2 AND $3 AND background AND erased_at IS NULL
  AND (erase_at IS NULL OR erase_at > now()) AND status IN ('failed', 'cancelled', 'expired', 'incomplete')
ORDER BY id FOR UPDATE
"""

_ERASE = """
UPDATE jobs SET erase_at = now()
WHERE id = $1 AND status NOT IN ('queued', 'in_progress') AND erased_at IS NULL
  AND (erase_at IS NULL OR erase_at > now())
RETURNING id
"""

# The starts of earlier attempts are closed; usage and the numbers of events go on. A batch that is not over
# does not wait for its jobs beyond its window.
_REOPEN = """
WITH reopened AS (
    UPDATE jobs j SET
        status = 'queued',
        settled_attempts = j.attempt,
        attempt = j.attempt + 1,
        max_attempts = coalesce(j.attempt + $4::integer, greatest(j.max_attempts, j.attempt + 1)),
        deadline_at = least(
            coalesce($5::timestamptz, greatest(j.deadline_at, $6::timestamptz)),
            (SELECT b.expires_at FROM batches b
             WHERE b.id = j.batch_id AND b.status NOT IN ('completed', 'failed', 'expired', 'cancelled'))
        ),
        started_at = NULL, finished_at = NULL, erase_at = NULL,
        failure = NULL, result = NULL, result_ref = NULL,
        delta_start_id = NULL, delta_sequence = NULL,
        last_event = j.last_event + 1
    FROM jobs before
    WHERE j.id = ANY($1::uuid[]) AND j.id BETWEEN $2 AND $3
      AND before.id = j.id AND before.id BETWEEN $2 AND $3
    RETURNING j.id, j.tenant_id, j.attempt, j.last_event, before.failure
), queued AS (
    INSERT INTO outbox (job_id, tenant_id, attempt, due_at) SELECT id, tenant_id, attempt, now() FROM reopened
), announced AS (
    INSERT INTO job_events (job_id, sequence, tenant_id, type, data)
    SELECT id, last_event, tenant_id, 'job.retrying',
           json_build_object('attempt', attempt, 'retry_at', now(), 'failure', failure)::text
    FROM reopened
)
SELECT id, attempt FROM reopened
"""


@dataclass(frozen=True, slots=True)
class Reopened:
    """Jobs that are queued again."""

    attempts: Mapping[UUID, int]
    """The new one of each."""
    refs: Collection[str] = ()
    """Bodies that nothing names any more when the transaction is committed."""


async def reopen(connection: Connection, ids: Collection[UUID], terms: RetryTerms) -> Reopened:
    """Queue those of the jobs again that ended without success, in a transaction that acts for the tenant."""
    if not ids:
        return Reopened({})
    await connection.execute(_KEEP_DAYS)
    locked = await connection.fetch(_LOCK_RETRYABLE, list(ids), min(ids), max(ids))
    if not locked:
        return Reopened({})
    chosen = [row["id"] for row in locked]
    rows = await connection.fetch(
        _REOPEN,
        chosen,
        chosen[0],
        chosen[-1],
        terms.more_attempts,
        terms.deadline_at,
        terms.default_deadline_at,
    )
    return Reopened(
        {row["id"]: row["attempt"] for row in rows},
        [row["result_ref"] for row in locked if row["result_ref"]],
    )


class JobChanges:
    """Changes jobs of one tenant at a time.

    Each method takes ids in any order, leaves out the jobs whose state does not allow it, and raises
    DatabaseUnavailableError within two seconds.
    """

    def __init__(self, database: Database, bodies: BodyStore) -> None:
        self._database = database
        self._bodies = bodies

    async def cancel(self, tenant_id: UUID, ids: Collection[UUID]) -> Mapping[UUID, int]:
        """End open jobs as cancelled; returns those and the attempt that each was at."""
        failure = failure_of(JobCancelledError("The job was cancelled."))
        now = datetime.now(UTC)
        ends = [
            JobEnd(job_id=job_id, status=JobStatus.CANCELLED, finished_at=now, failure=failure)
            for job_id in ids
        ]
        async with self._as(tenant_id) as connection:
            ended = await finish_jobs(connection, ends)
            if not ended:
                return {}
            rows = await connection.fetch(_ATTEMPTS, list(ended), min(ended), max(ended))
        return {row["id"]: row["attempt"] for row in rows}

    async def retry(self, tenant_id: UUID, ids: Collection[UUID], terms: RetryTerms) -> Mapping[UUID, int]:
        """Queue jobs that ended without success again; returns those and the new attempt of each."""
        async with self._as(tenant_id) as connection:
            reopened = await reopen(connection, ids, terms)
        await self.drop(reopened.refs)
        return reopened.attempts

    async def erase(self, tenant_id: UUID, job_id: UUID) -> bool:
        """Let the bodies and events of a job that has its end be erased now; False if that changes nothing.

        From then on no caller sees them; the scheduler deletes them.
        """
        async with self._as(tenant_id) as connection:
            return await connection.fetchval(_ERASE, job_id) is not None

    async def drop(self, refs: Collection[str]) -> None:
        """Delete what reopened jobs had brought of an answer; what stays goes with its day."""
        try:
            await self._bodies.delete(refs)
        except ObjectStoreUnavailableError as error:
            _log.warning("partial answers not deleted", code=error.code)

    @asynccontextmanager
    async def _as(self, tenant_id: UUID) -> AsyncIterator[Connection]:
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            yield connection
