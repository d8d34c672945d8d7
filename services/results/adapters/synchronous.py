"""Records synchronous calls: their row is written once, when they have ended."""

from collections.abc import Sequence

import orjson

from services.results.adapters.changes import usage_columns
from services.results.domain.lifecycle import text_of
from shared.contracts.jobs import JobFinished
from shared.storage.postgres import Connection
from shared.storage.transitions import failure_document, storable

_INSERT = """
INSERT INTO jobs (id, tenant_id, request_id, operation, lane, model, status, background, stream, result,
    result_ref, failure, created_at, deadline_at, started_at, finished_at, attempt, ambiguous_attempts,
    provider, provider_model, input_tokens, output_tokens, cached_tokens, cost_microusd)
SELECT id, tenant_id, request_id, operation, lane, model, status, false, stream, result,
    result_ref, failure::jsonb, created_at, finished_at, started_at, finished_at, attempt, ambiguous,
    provider, provider_model, input_tokens, output_tokens, cached_tokens, cost_microusd
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::boolean[], $9::text[], $10::text[], $11::text[], $12::timestamptz[], $13::timestamptz[],
            $14::timestamptz[], $15::integer[], $16::integer[], $17::text[], $18::text[], $19::bigint[],
            $20::bigint[], $21::bigint[], $22::bigint[])
    AS c(id, tenant_id, request_id, operation, lane, model, status, stream, result, result_ref, failure,
         created_at, started_at, finished_at, attempt, ambiguous, provider, provider_model,
         input_tokens, output_tokens, cached_tokens, cost_microusd)
ORDER BY id
ON CONFLICT (id) DO NOTHING
RETURNING status
"""


async def insert_ended(connection: Connection, messages: Sequence[JobFinished]) -> list[str]:
    """Write the row of each job that has none; of two ends for one job the first counts.

    Returns:
        The final state of each job that was written.
    """
    if not messages:
        return []
    rows = [_row(message) for message in messages]
    written = await connection.fetch(_INSERT, *map(list, zip(*rows, strict=True)))
    return [row["status"] for row in written]


def _row(message: JobFinished) -> tuple[object, ...]:
    failure = message.failure
    return (
        message.job_id,
        message.tenant_id,
        storable(message.request_id),
        message.operation.value,
        message.lane.value,
        storable(message.model),
        message.status.value,
        message.deltas > 0,
        text_of(message.body) if message.body else None,
        message.body_ref,
        None if failure is None else orjson.dumps(failure_document(failure)).decode(),
        message.created_at,
        message.started_at,
        message.finished_at,
        message.attempt,
        message.ambiguous_attempts,
        None if message.provider is None else storable(message.provider),
        None if message.provider_model is None else storable(message.provider_model),
        *usage_columns(message.usage),
    )
