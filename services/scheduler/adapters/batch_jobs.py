"""The jobs of a batch, as rows."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import takewhile

import asyncpg
import orjson

from services.scheduler.domain.batch import Batch, EndedJob, NewBatchJob
from shared.contracts.jobs import Failure, JobStatus, Lane
from shared.storage.postgres import Connection

# As ingress submits jobs, but for the batch; the outbox sweep publishes them at once.
_INSERT = """
WITH submitted AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::text[])
    AS s(id, line, metadata, request, request_ref)
), written AS (
    INSERT INTO jobs (id, tenant_id, request_id, operation, lane, model, status, background, metadata,
                      request, request_ref, traceparent, created_at, deadline_at, max_attempts, last_event,
                      batch_id, batch_line)
    SELECT id, $6, 'req_' || replace(id::text, '-', ''), $7, $8, $9, 'queued', true, metadata::jsonb, request,
           request_ref, $10, $11, $12, $13, 1, $14, line
    FROM submitted
), announced AS (
    INSERT INTO job_events (job_id, sequence, tenant_id, type, data)
    SELECT id, 1, $6, 'job.queued', '{"status":"queued"}' FROM submitted
)
INSERT INTO outbox (job_id, tenant_id, due_at) SELECT id, $6, coalesce($15, clock_timestamp()) FROM submitted
"""

_ENDED = """
SELECT id, batch_line, custom_id, request_id, status, result, result_ref, failure, input_tokens,
       output_tokens, cached_tokens
FROM (
    SELECT id, batch_line, metadata ->> 'custom_id' AS custom_id, request_id, status, result, result_ref,
           failure::text AS failure, input_tokens, output_tokens, cached_tokens,
           coalesce(sum(octet_length(result)) OVER before, 0) AS bytes_before
    FROM (
        SELECT * FROM jobs WHERE batch_id = $1 AND batch_line > $2 AND batch_line <= $3
        ORDER BY batch_line LIMIT $4
    ) page
    WINDOW before AS (ORDER BY batch_line ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
) measured
WHERE bytes_before <= $5
ORDER BY batch_line
"""


async def insert_jobs(
    connection: Connection,
    batch: Batch,
    jobs: Sequence[NewBatchJob],
    *,
    attempts: int,
    due_at: datetime | None,
) -> None:
    """Write jobs with their outbox rows and first events; without ``due_at`` they are due at once."""
    await connection.execute(
        _INSERT,
        [job.job_id for job in jobs],
        [job.line for job in jobs],
        [orjson.dumps(job.metadata).decode() for job in jobs],
        [None if job.body_ref else job.body.decode() for job in jobs],
        [job.body_ref for job in jobs],
        batch.tenant_id,
        batch.operation.value,
        Lane.BATCH.value,
        batch.model,
        batch.traceparent,
        datetime.now(UTC),
        batch.expires_at,
        attempts,
        batch.id,
        due_at,
    )


async def read_ended_jobs(
    connection: Connection, batch: Batch, *, most: int, most_bytes: int
) -> Sequence[EndedJob]:
    """Read the jobs behind the gathered ones, up to the first that is open, now or when it was read."""
    rows = await connection.fetch(_ENDED, batch.id, batch.gathered, batch.ended, most, most_bytes)
    return list(takewhile(lambda job: job.status.final, map(_ended_job, rows)))


def _ended_job(row: asyncpg.Record) -> EndedJob:
    failure = row["failure"]
    return EndedJob(
        job_id=row["id"],
        line=row["batch_line"],
        custom_id=row["custom_id"],
        request_id=row["request_id"],
        status=JobStatus(row["status"]),
        result=row["result"],
        result_ref=row["result_ref"],
        failure=None if failure is None else Failure.model_validate_json(failure),
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cached_tokens=row["cached_tokens"],
    )
