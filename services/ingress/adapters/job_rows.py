"""Jobs and their events as PostgreSQL has them; every statement sees one tenant only."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from services.ingress.adapters.patience import database_patience
from services.ingress.domain.job import Job
from services.ingress.domain.job_filter import JobFilter
from shared.errors import NotFoundError
from shared.storage.job_fields import job_fields
from shared.storage.postgres import Connection, Database

_COLUMNS = """id, status, operation, lane, model, background, stream, metadata::text AS metadata,
    failure::text AS failure, created_at, deadline_at, started_at, finished_at, erase_at,
    coalesce(erased_at, CASE WHEN erase_at <= now() THEN erase_at END) AS erased_at, attempt, max_attempts,
    ambiguous_attempts, provider, provider_model, input_tokens, output_tokens, cached_tokens, cost_microusd,
    last_event, run_at, webhook::text AS webhook, batch_id"""
_PUBLISHED_AT = "(SELECT o.published_at FROM outbox o WHERE o.job_id = jobs.id) AS published_at"
_GET = f"SELECT {_COLUMNS}, {_PUBLISHED_AT} FROM jobs WHERE id = $1"  # noqa: S608 - constants
_RESULT = f"SELECT {_COLUMNS}, result, result_ref FROM jobs WHERE id = $1"  # noqa: S608 - a constant
_SEVERAL = f"SELECT {_COLUMNS} FROM jobs WHERE id = ANY($1::uuid[]) AND id BETWEEN $2 AND $3"  # noqa: S608 - a constant
_PAGE = f"""SELECT {_COLUMNS} FROM jobs
WHERE tenant_id = $1
  AND ($2::uuid IS NULL OR id < $2) AND ($3::uuid IS NULL OR id >= $3)
  AND ($4::text[] IS NULL OR status = ANY($4)) AND ($5::text IS NULL OR operation = $5)
  AND ($6::text IS NULL OR model = $6) AND ($7::boolean IS NULL OR background = $7)
  AND ($8::uuid IS NULL OR batch_id = $8)
  AND ($9::text IS NULL OR lane = $9)
ORDER BY id DESC LIMIT $10"""  # noqa: S608 - a constant
# What very many waiters read takes one round trip instead of four: the tenant is set for the one statement,
# by what the rest of it depends on. OFFSET 0 keeps the planner from turning the order round.
_CALLER = "(SELECT set_config('app.tenant', $2::uuid::text, true) AS tenant OFFSET 0) caller"
_GET_AT_ONCE = f"""SELECT found.* FROM {_CALLER}
CROSS JOIN LATERAL ({_GET} AND caller.tenant IS NOT NULL OFFSET 0) found"""  # noqa: S608 - constants
_EVENTS_AT_ONCE = f"""SELECT found.* FROM {_CALLER} CROSS JOIN LATERAL (
    SELECT e.sequence, e.type, e.data FROM job_events e
    WHERE e.job_id = $1 AND caller.tenant IS NOT NULL AND e.sequence > $3 ORDER BY e.sequence LIMIT $4
) found"""  # noqa: S608 - constants

_BEGINS = """SELECT coalesce(max(sequence), 0) FROM job_events
WHERE job_id = $1 AND type IN ('job.in_progress', 'job.retrying')"""


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One row of ``job_events``."""

    sequence: int
    type: str
    data: str


@dataclass(frozen=True, slots=True)
class JobResult:
    """A job and where its answer is."""

    job: Job
    result: bytes
    result_ref: str | None


async def job_in(connection: Connection, job_id: UUID) -> Job:
    """Return a job as a transaction that acts for its tenant sees it; raises NotFoundError."""
    return _job(await connection.fetchrow(_GET, job_id))


class JobRows:
    """Reads jobs.

    Every method raises NotFoundError for a job that does not exist or is another tenant's, and
    DatabaseUnavailableError within two seconds.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant_id: UUID, job_id: UUID) -> Job:
        """Return a job without its bodies."""
        async with database_patience(), self._database.connection() as connection:
            return _job(await connection.fetchrow(_GET_AT_ONCE, job_id, tenant_id))

    async def result(self, tenant_id: UUID, job_id: UUID) -> JobResult:
        """Return a job with its answer, as far as it is not in the object store."""
        async with self._as(tenant_id) as connection:
            row = await connection.fetchrow(_RESULT, job_id)
        job = _job(row)
        return JobResult(job, (row["result"] or "").encode(), row["result_ref"])

    async def page(self, tenant_id: UUID, wanted: JobFilter) -> tuple[Sequence[Job], bool]:
        """Return one page, newest first, and whether there are more."""
        async with self._as(tenant_id) as connection:
            rows = await connection.fetch(
                _PAGE,
                tenant_id,
                wanted.before,
                wanted.since,
                wanted.statuses,
                wanted.operation,
                wanted.model,
                wanted.background,
                wanted.batch_id,
                wanted.lane,
                wanted.limit + 1,
            )
        return [_job(row) for row in rows[: wanted.limit]], len(rows) > wanted.limit

    async def events(
        self, tenant_id: UUID, job_id: UUID, *, after: int, limit: int
    ) -> tuple[Job, Sequence[JobEvent]]:
        """Return a job and what happened to it after an event; both as of one moment or later."""
        async with database_patience(), self._database.connection() as connection:
            job = _job(await connection.fetchrow(_GET_AT_ONCE, job_id, tenant_id))
            rows = await connection.fetch(_EVENTS_AT_ONCE, job_id, tenant_id, after, limit)
        return job, [JobEvent(row["sequence"], row["type"], row["data"]) for row in rows]

    async def answer_begins(self, tenant_id: UUID, job_id: UUID) -> int:
        """Return the event after which the chunks come that count now; 0 before there are any."""
        async with self._as(tenant_id) as connection:
            begins: int = await connection.fetchval(_BEGINS, job_id)
        return begins

    async def several(self, tenant_id: UUID, ids: Collection[UUID]) -> Mapping[UUID, Job]:
        """Return those of the jobs that there are."""
        if not ids:
            return {}
        async with self._as(tenant_id) as connection:
            rows = await connection.fetch(_SEVERAL, list(ids), min(ids), max(ids))
        return {row["id"]: _job(row) for row in rows}

    @asynccontextmanager
    async def _as(self, tenant_id: UUID) -> AsyncIterator[Connection]:
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            yield connection


def _job(row: asyncpg.Record | None) -> Job:
    if row is None:
        raise NotFoundError("There is no job with this id.")
    columns = {name: value for name, value in row.items() if name not in ("result", "result_ref")}
    return Job(**job_fields(columns))
