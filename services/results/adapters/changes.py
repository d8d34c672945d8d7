"""Writes what a batch changed in jobs, a statement for each table whatever the size of the batch."""

from collections.abc import Iterator, Sequence

import orjson

from services.results.adapters.columns import execute_rows
from services.results.domain.records import JobRecord
from shared.contracts.jobs import Usage
from shared.storage.postgres import Connection
from shared.storage.transitions import failure_document, storable

_JOBS = """
UPDATE jobs j SET
    status = c.status, attempt = c.attempt, started_at = c.started_at, last_event = c.last_event,
    delta_start_id = c.delta_start_id, delta_sequence = c.delta_sequence,
    ambiguous_attempts = j.ambiguous_attempts + c.ambiguous,
    input_tokens = j.input_tokens + c.input_tokens,
    output_tokens = j.output_tokens + c.output_tokens,
    cached_tokens = j.cached_tokens + c.cached_tokens,
    cost_microusd = coalesce(j.cost_microusd + c.cost_microusd, j.cost_microusd, c.cost_microusd)
FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::timestamptz[], $5::integer[], $6::uuid[],
            $7::integer[], $8::integer[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[])
    AS c(id, status, attempt, started_at, last_event, delta_start_id, delta_sequence, ambiguous,
         input_tokens, output_tokens, cached_tokens, cost_microusd)
WHERE j.id = c.id
"""

_ATTEMPTS = """
INSERT INTO job_attempts (job_id, start_id, tenant_id, attempt, worker, started_at, finished_at, outcome,
    provider, failure, input_tokens, output_tokens, cached_tokens, cost_microusd)
SELECT job_id, start_id, tenant_id, attempt, worker, started_at, finished_at, outcome,
    provider, failure::jsonb, input_tokens, output_tokens, cached_tokens, cost_microusd
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::integer[], $5::text[], $6::timestamptz[],
            $7::timestamptz[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::bigint[],
            $13::bigint[], $14::bigint[])
    AS c(job_id, start_id, tenant_id, attempt, worker, started_at, finished_at, outcome,
         provider, failure, input_tokens, output_tokens, cached_tokens, cost_microusd)
ON CONFLICT (job_id, start_id) DO UPDATE SET
    worker = excluded.worker, started_at = excluded.started_at, finished_at = excluded.finished_at,
    outcome = excluded.outcome, provider = excluded.provider,
    failure = coalesce(excluded.failure, job_attempts.failure), input_tokens = excluded.input_tokens,
    output_tokens = excluded.output_tokens, cached_tokens = excluded.cached_tokens,
    cost_microusd = excluded.cost_microusd
"""

_EVENTS = """
INSERT INTO job_events (job_id, tenant_id, sequence, type, data)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::text[])
"""

_ANNOUNCED = """
UPDATE outbox o SET held_at = now(), published_at = coalesce(o.published_at, now())
FROM unnest($1::uuid[], $2::integer[]) AS c(job_id, attempt)
WHERE o.job_id = c.job_id AND o.attempt = c.attempt
"""

_PUT_OFF = """
UPDATE outbox o SET attempt = c.attempt, publication = 1, due_at = c.due_at,
    published_at = NULL, held_at = NULL, tried_at = NULL
FROM unnest($1::uuid[], $2::integer[], $3::timestamptz[]) AS c(job_id, attempt, due_at)
WHERE o.job_id = c.job_id
"""


async def write_changes(connection: Connection, jobs: Sequence[JobRecord]) -> None:
    """Write everything but the ends; the jobs are locked."""
    await execute_rows(connection, _JOBS, [_job(job) for job in jobs if job.changed])
    await execute_rows(connection, _ATTEMPTS, [row for job in jobs for row in _attempts(job)])
    await execute_rows(
        connection,
        _EVENTS,
        [
            (job.job_id, job.tenant_id, event.sequence, event.type, event.data)
            for job in jobs
            for event in job.events
        ],
    )
    going_on = [job for job in jobs if job.end is None]
    await execute_rows(
        connection, _PUT_OFF, [(job.job_id, job.attempt, job.retry_at) for job in going_on if job.retry_at]
    )
    await execute_rows(
        connection, _ANNOUNCED, [(job.job_id, job.attempt) for job in going_on if job.announced]
    )


def _job(job: JobRecord) -> tuple[object, ...]:
    return (
        job.job_id,
        job.status.value,
        job.attempt,
        job.started_at,
        job.last_event,
        job.current_start,
        job.delta_sequence,
        job.added_ambiguous,
        *usage_columns(*job.added_usage),
    )


def _attempts(job: JobRecord) -> Iterator[tuple[object, ...]]:
    for attempt in job.attempts.values():
        if attempt.changed:
            yield (
                job.job_id,
                attempt.start_id,
                job.tenant_id,
                attempt.attempt,
                attempt.worker,
                attempt.started_at,
                attempt.finished_at,
                attempt.outcome,
                None if attempt.provider is None else storable(attempt.provider),
                None if attempt.failure is None else orjson.dumps(failure_document(attempt.failure)).decode(),
                *usage_columns(attempt.usage),
            )


def usage_columns(*usages: Usage) -> tuple[int, int, int, int | None]:
    """Add up what calls used: input, output and cached tokens, and the cost as far as it is known."""
    costs = [usage.cost_microusd for usage in usages if usage.cost_microusd is not None]
    return (
        sum(usage.input_tokens for usage in usages),
        sum(usage.output_tokens for usage in usages),
        sum(usage.cached_tokens for usage in usages),
        sum(costs) if costs else None,
    )
