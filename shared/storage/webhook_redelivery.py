"""Makes deliveries again: at once, under the same ``webhook-id``, with a new round of retries."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.contracts.ids import first_id_at
from shared.storage.postgres import Connection

_LOCK = """
SELECT id FROM webhook_deliveries WHERE id = ANY($1::uuid[]) AND id BETWEEN $2 AND $3 ORDER BY id FOR UPDATE
"""

_REOPEN = """
WITH reopened AS (
    UPDATE webhook_deliveries SET status = 'pending', next_attempt_at = NULL, finished_at = NULL
    WHERE id = ANY($1::uuid[]) AND id BETWEEN $2 AND $3
    RETURNING id, tenant_id, target
)
INSERT INTO webhook_queue (delivery_id, tenant_id, target) SELECT id, tenant_id, target FROM reopened
ON CONFLICT (delivery_id) DO UPDATE SET due_at = now(), failures = 0
"""

_MATCHING = """
SELECT id FROM webhook_deliveries
WHERE id >= $1 AND id < $2
  AND ($3::uuid IS NULL OR endpoint_id = $3)
  AND ($4::text IS NULL OR status = $4)
  AND ($5::text IS NULL OR event_type = $5)
ORDER BY id LIMIT $6
"""

_FIRST_ID, _LAST_ID = UUID(int=0), UUID(int=(1 << 128) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Which deliveries; None is any."""

    endpoint_id: UUID | None = None
    status: str | None = None
    event_type: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


async def redeliver(connection: Connection, delivery_ids: Collection[UUID]) -> list[UUID]:
    """Make these deliveries again, whatever became of them.

    Returns:
        The ids of those that there are; ``penstock_app`` reaches its tenant's only.
    """
    if not delivery_ids:
        return []
    ids = list(delivery_ids)
    rows = await connection.fetch(_LOCK, ids, min(ids), max(ids))
    found = [row["id"] for row in rows]
    if found:
        await connection.execute(_REOPEN, found, min(found), max(found))
    return found


async def matching_deliveries(connection: Connection, where: DeliveryFilter, *, limit: int) -> list[UUID]:
    """Return which deliveries match, the oldest first, at most ``limit``."""
    first = _FIRST_ID if where.created_after is None else first_id_at(where.created_after)
    end = _LAST_ID if where.created_before is None else first_id_at(where.created_before)
    rows = await connection.fetch(
        _MATCHING, first, end, where.endpoint_id, where.status, where.event_type, limit
    )
    return [row["id"] for row in rows]
