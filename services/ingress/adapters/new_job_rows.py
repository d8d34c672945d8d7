"""New jobs as rows: the job, its first event, its place in the outbox, and its idempotency key."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

from services.ingress.domain.new_job import NewJob
from shared.storage.postgres import Connection

PUBLISH_ALONE_S = 2.0
"""How long the outbox sweep leaves a new job to the ingress that took it."""

# The tenant is set where the rows come from: before any of them is checked against its policy, and in the one
# round trip that an accepted job waits for.
_TENANT = """
WITH tenant AS MATERIALIZED (
    SELECT set_config('app.tenant', $1::uuid::text, true)
),"""
_COLUMNS = """unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[], $9::text[],
                         $10::text[], $11::text[], $12::text[], $13::timestamptz[], $14::timestamptz[],
                         $15::timestamptz[], $16::integer[], $17::text[], $18::integer[]"""
_NAMES = """id, request_id, operation, lane, model, stream, metadata, request, request_ref, traceparent,
         created_at, run_at, deadline_at, max_attempts, webhook, retention_s"""
_WRITE = """ written AS (
    INSERT INTO jobs (id, tenant_id, request_id, operation, lane, model, status, background, stream, metadata,
                      request, request_ref, traceparent, created_at, run_at, deadline_at, max_attempts,
                      webhook, retention_s, last_event)
    SELECT id, $1, request_id, operation, lane, model, 'queued', true, stream, metadata::jsonb,
           request, request_ref, traceparent, created_at, run_at, deadline_at, max_attempts, webhook::jsonb,
           retention_s, 1
    FROM submitted
), announced AS (
    INSERT INTO job_events (job_id, sequence, tenant_id, type, data)
    SELECT id, 1, $1, 'job.queued', '{"status":"queued"}' FROM submitted
)
INSERT INTO outbox (job_id, tenant_id, due_at)
SELECT id, $1, coalesce(run_at, clock_timestamp() + make_interval(secs => $2)) FROM submitted
"""

_INSERT = f"""{_TENANT} submitted AS MATERIALIZED (
    SELECT s.* FROM tenant, {_COLUMNS})
    AS s({_NAMES})
), {_WRITE}"""  # noqa: S608 - constants

# A key that another transaction is about to take is left alone instead of waited for, as the jobs of other
# callers share this one.
_INSERT_KEYED = f"""{_TENANT} given AS MATERIALIZED (
    SELECT s.* FROM tenant, {_COLUMNS}, $19::text[], $20::bytea[], $21::smallint[], $22::text[])
    AS s({_NAMES}, key, fingerprint, answer_status, answer)
), taken AS (
    INSERT INTO idempotency_keys (tenant_id, key, fingerprint, object_id, status, answer)
    SELECT $1, key, fingerprint, id, answer_status, answer FROM given
    WHERE key IS NOT NULL AND pg_try_advisory_xact_lock(hashtextextended($1::text || key, 0))
    ON CONFLICT (tenant_id, key) DO NOTHING
    RETURNING object_id
), submitted AS MATERIALIZED (
    SELECT g.* FROM given g WHERE g.key IS NULL OR g.id IN (SELECT object_id FROM taken)
), {_WRITE} RETURNING job_id"""  # noqa: S608 - constants


async def insert_jobs(
    connection: Connection, tenant_id: UUID, jobs: Sequence[NewJob], *, alone_s: float = PUBLISH_ALONE_S
) -> set[UUID]:
    """Write the jobs of one tenant in one statement, which sets the tenant itself.

    A job whose idempotency key is taken, or is being taken by another transaction, is left out.

    Args:
        connection: Of ``penstock_app``.
        tenant_id: Whose jobs they are.
        jobs: At least one.
        alone_s: How long the outbox sweep leaves those alone that name no ``run_at``.

    Returns:
        The ids of those that were left out.
    """
    columns = _columns([_row(job) for job in jobs])
    if all(job.kept is None for job in jobs):
        await connection.execute(_INSERT, tenant_id, alone_s, *columns)
        return set()
    keys = _columns([_kept(job) for job in jobs])
    written = await connection.fetch(_INSERT_KEYED, tenant_id, alone_s, *columns, *keys)
    return {job.job_id for job in jobs} - {row["job_id"] for row in written}


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _row(job: NewJob) -> tuple[Any, ...]:
    return (
        job.job_id,
        job.request_id,
        job.operation.value,
        job.lane.value,
        job.model,
        job.stream,
        orjson.dumps(job.metadata).decode(),
        None if job.body_ref else job.body.decode(),
        job.body_ref,
        job.headers.get("traceparent"),
        job.created_at,
        job.run_at,
        job.deadline_at,
        job.max_attempts,
        None if job.webhook is None else orjson.dumps(job.webhook.document()).decode(),
        job.retention_s,
    )


def _kept(job: NewJob) -> tuple[Any, ...]:
    kept = job.kept
    if kept is None:
        return (None, None, None, None)
    return (kept.use.key, kept.use.fingerprint, kept.status, kept.body.decode())
