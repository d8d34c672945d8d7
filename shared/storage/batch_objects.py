"""Reads batch objects, with what their jobs have come to."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from shared.contracts.batches import BatchStatus
from shared.errors import NotFoundError
from shared.http.batch_object import BatchObject
from shared.storage.postgres import Connection

# What the scheduler has not written down yet is counted here.
_SELECT = """
SELECT b.id, b.status, b.endpoint, b.model, b.completion_window, b.input_file_id, b.output_file_id,
    b.error_file_id, b.metadata::text AS metadata, b.errors::text AS errors, b.created_at, b.expires_at,
    b.in_progress_at, b.finalizing_at, b.completed_at, b.failed_at, b.expired_at, b.cancelling_at,
    b.cancelled_at, b.total, b.completed + coalesce(n.completed, 0) AS completed,
    b.failed + coalesce(n.failed, 0) AS failed, b.input_tokens, b.output_tokens, b.cached_tokens,
    b.reasoning_tokens
FROM batches b LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE j.status = 'completed')::integer AS completed,
           count(*) FILTER (WHERE j.status NOT IN ('completed', 'queued', 'in_progress'))::integer AS failed
    FROM jobs j
    WHERE j.batch_id = b.id AND j.batch_line > b.gathered AND b.gathered < b.inserted
) n ON true
"""
_GET = f"{_SELECT} WHERE b.id = $1"
_PAGE = f"{_SELECT} WHERE b.tenant_id = $1 AND ($2::uuid IS NULL OR b.id < $2) ORDER BY b.id DESC LIMIT $3"


async def batch_object(connection: Connection, batch_id: UUID) -> BatchObject:
    """Read a batch.

    Raises:
        NotFoundError: There is none; ``penstock_app`` sees its tenant's only.
    """
    row = await connection.fetchrow(_GET, batch_id)
    if row is None:
        raise NotFoundError("There is no batch with this id.")
    return _batch(row)


async def newest_batches(
    connection: Connection, tenant_id: UUID, *, before: UUID | None, limit: int
) -> Sequence[BatchObject]:
    """Read a tenant's batches, newest first."""
    return [_batch(row) for row in await connection.fetch(_PAGE, tenant_id, before, limit)]


def _batch(row: Mapping[str, Any]) -> BatchObject:
    columns = dict(row.items())
    columns["status"] = BatchStatus(columns["status"])
    for name in ("metadata", "errors"):
        columns[name] = None if columns[name] is None else orjson.loads(columns[name])
    return BatchObject(**columns)
