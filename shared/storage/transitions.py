"""How a job reaches its end: one compare-and-set for every service that may end jobs.

Results records what workers report, ingress cancels, the scheduler expires. Whoever comes first wins;
the others see that nothing changed. Only its caller takes a job out of its end, by an explicit retry. A
transaction that touches jobs locks them first, in the order of their ids (:func:`lock_open_jobs` does), so
that two batches with common jobs cannot deadlock.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import orjson

from shared.contracts.jobs import Failure, JobStatus, Usage
from shared.storage.postgres import Connection
from shared.storage.webhook_jobs import job_ended
from shared.storage.webhook_planning import plan

_LOCK_OPEN = """
SELECT id FROM jobs
WHERE id = ANY($1::uuid[]) AND id BETWEEN $2 AND $3 AND status IN ('queued', 'in_progress')
ORDER BY id FOR UPDATE
"""

_FINISH = """
WITH ended AS (
    SELECT * FROM unnest(
        $3::uuid[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::text[], $8::text[], $9::text[],
        $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::uuid[],
        $17::text[])
    AS e(id, status, started_at, finished_at, failure, result, result_ref,
         provider, provider_model, input_tokens, output_tokens, cached_tokens, cost_microusd, start_id,
         event)
), closed AS (
    UPDATE job_attempts a SET
        outcome = CASE WHEN e.start_id IS NULL OR e.start_id = a.start_id THEN e.status ELSE 'ambiguous' END,
        finished_at = e.finished_at,
        failure = CASE WHEN e.start_id = a.start_id THEN e.failure::jsonb ELSE a.failure END,
        provider = CASE WHEN e.start_id = a.start_id THEN e.provider ELSE a.provider END,
        input_tokens = CASE WHEN e.start_id = a.start_id THEN e.input_tokens ELSE a.input_tokens END,
        output_tokens = CASE WHEN e.start_id = a.start_id THEN e.output_tokens ELSE a.output_tokens END,
        cached_tokens = CASE WHEN e.start_id = a.start_id THEN e.cached_tokens ELSE a.cached_tokens END,
        cost_microusd = CASE WHEN e.start_id = a.start_id THEN e.cost_microusd ELSE a.cost_microusd END
    FROM ended e
    WHERE a.job_id = e.id AND a.job_id BETWEEN $1 AND $2
      AND (a.outcome = 'started' OR a.start_id = e.start_id)
), updated AS (
    UPDATE jobs j SET
        status = e.status,
        started_at = coalesce(j.started_at, e.started_at),
        finished_at = e.finished_at,
        failure = e.failure::jsonb,
        result = e.result,
        result_ref = e.result_ref,
        provider = coalesce(e.provider, j.provider),
        provider_model = coalesce(e.provider_model, j.provider_model),
        input_tokens = j.input_tokens + e.input_tokens,
        output_tokens = j.output_tokens + e.output_tokens,
        cached_tokens = j.cached_tokens + e.cached_tokens,
        cost_microusd = coalesce(j.cost_microusd + e.cost_microusd, j.cost_microusd, e.cost_microusd),
        erase_at = e.finished_at + make_interval(secs => j.retention_s),
        last_event = j.last_event + 1
    FROM ended e
    WHERE j.id = e.id AND j.id BETWEEN $1 AND $2
    RETURNING j.id, j.tenant_id, j.status, j.operation, j.lane, j.model, j.background, j.stream, j.metadata,
        j.failure, j.created_at, j.deadline_at, j.started_at, j.finished_at, j.attempt, j.max_attempts,
        j.ambiguous_attempts, j.provider, j.provider_model, j.input_tokens, j.output_tokens, j.cached_tokens,
        j.cost_microusd, j.last_event, j.webhook, j.batch_id, e.event
), gone AS (
    DELETE FROM outbox o USING ended e WHERE o.job_id = e.id
), told AS (
    INSERT INTO job_events (job_id, sequence, tenant_id, type, data)
    SELECT id, last_event, tenant_id, 'job.' || status, event FROM updated
)
SELECT u.*, ARRAY(
    SELECT w.id FROM webhook_endpoints w
    WHERE w.tenant_id = u.tenant_id AND w.enabled AND webhook_wants(w.events, 'job.' || u.status)
) AS endpoints
FROM updated u
WHERE u.webhook IS NOT NULL OR u.batch_id IS NULL AND u.tenant_id IN (
    SELECT w.tenant_id FROM webhook_endpoints w
    WHERE w.enabled AND w.tenant_id = ANY(ARRAY(SELECT DISTINCT tenant_id FROM updated))
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """How one job ends."""

    job_id: UUID
    status: JobStatus
    """A final one."""
    finished_at: datetime
    failure: Failure | None = None
    result: str | None = None
    """The answer in the OpenAI shape; None where there is none, or where ``result_ref`` says it is."""
    result_ref: str | None = None
    provider: str | None = None
    provider_model: str | None = None
    usage: Usage = field(default_factory=Usage)
    """Of the last call; added to what earlier attempts of the job used."""
    start_id: UUID | None = None
    """The start that brought the end. None ends every start of the job that is still open."""
    started_at: datetime | None = None
    """Used where the announcement of the start has not arrived."""


def storable(text: str) -> str:
    """Replace NUL, the one character that PostgreSQL's text and jsonb cannot hold."""
    return text.replace("\x00", "\ufffd")


def failure_document(failure: Failure) -> dict[str, object]:
    """Spell a failure as ``jobs.failure`` and the events hold it."""
    fields = failure.model_dump(exclude_none=True)
    return {name: storable(value) if isinstance(value, str) else value for name, value in fields.items()}


async def lock_open_jobs(connection: Connection, ids: Collection[UUID]) -> set[UUID]:
    """Lock those jobs that have not ended, until the transaction does; returns which they are."""
    if not ids:
        return set()
    rows = await connection.fetch(_LOCK_OPEN, list(ids), min(ids), max(ids))
    return {row["id"] for row in rows}


async def finish_jobs(connection: Connection, ends: Sequence[JobEnd]) -> set[UUID]:
    """End a batch of jobs: status and result, the ``job.<status>`` event, the outbox, the attempts.

    A job that ended before stays as it is; of two ends for one job the first counts. An attempt of
    another start that is still open becomes ambiguous. Runs as either role inside the caller's
    transaction, in two statements whatever the size of the batch; ``penstock_app`` ends only what its
    tenant owns. Webhooks that want to hear of it are planned, which takes a third statement if there are any;
    of a request of a batch nobody hears, but of the batch.

    Returns:
        The ids of the jobs that changed.
    """
    first: dict[UUID, JobEnd] = {}
    for end in ends:
        first.setdefault(end.job_id, end)
    changed = await lock_open_jobs(connection, first)
    await finish_locked_jobs(connection, [first[job_id] for job_id in sorted(changed)])
    return changed


async def finish_locked_jobs(connection: Connection, ends: Sequence[JobEnd]) -> None:
    """Do the same for jobs of which the transaction knows that they are open: it has locked them."""
    if ends:
        ids = [end.job_id for end in ends]
        columns = map(list, zip(*map(_row, ends), strict=True))
        heard = await connection.fetch(_FINISH, min(ids), max(ids), *columns)
        await plan(connection, map(job_ended, heard))


def _row(end: JobEnd) -> tuple[object, ...]:
    failure = None if end.failure is None else failure_document(end.failure)
    event: dict[str, object] = {"status": end.status}
    if failure is not None:
        event["failure"] = failure
    return (
        end.job_id,
        end.status.value,
        end.started_at,
        end.finished_at,
        None if failure is None else orjson.dumps(failure).decode(),
        None if end.result is None else storable(end.result),
        end.result_ref,
        None if end.provider is None else storable(end.provider),
        None if end.provider_model is None else storable(end.provider_model),
        end.usage.input_tokens,
        end.usage.output_tokens,
        end.usage.cached_tokens,
        end.usage.cost_microusd,
        end.start_id,
        orjson.dumps(event).decode(),
    )
