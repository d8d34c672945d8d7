"""The queue of deliveries in PostgreSQL: claimed by a lease, so that who dies holds none for long."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg

from services.webhook_delivery.domain.delivery import DueDelivery
from services.webhook_delivery.domain.dispatcher import Claimed
from shared.errors import DatabaseUnavailableError
from shared.runtime.crash_points import CrashPoint, crash_points
from shared.security.webhook_secrets import SecretBox
from shared.storage.postgres import Connection, Database
from shared.storage.webhook_secrets import create_secret

_NEXT_DUE = "SELECT extract(epoch FROM min(due_at) - now())::float8 FROM webhook_queue"

_FEW = 500
_FIRST_DUE = "SELECT target FROM webhook_queue WHERE due_at <= now() ORDER BY due_at LIMIT $1"

# Where more is due: goes from target to target by the index, however much one of them has.
_TARGETS = """
WITH RECURSIVE targets AS (
    (SELECT target FROM webhook_queue WHERE target > $1 AND target <= $2 ORDER BY target LIMIT 1)
    UNION ALL
    SELECT (SELECT q.target FROM webhook_queue q
            WHERE q.target > t.target AND q.target <= $2 ORDER BY q.target LIMIT 1)
    FROM targets t WHERE t.target IS NOT NULL
)
SELECT target FROM targets t
WHERE EXISTS (SELECT FROM webhook_queue w WHERE w.target = t.target AND w.due_at <= now())
LIMIT $3
"""

_CLAIM = """
WITH picked AS (
    SELECT q.delivery_id
    FROM unnest($1::uuid[], $2::integer[]) AS t(target, room)
    CROSS JOIN LATERAL (
        SELECT w.delivery_id FROM webhook_queue w
        WHERE w.target = t.target AND w.due_at <= now()
        ORDER BY w.due_at LIMIT t.room
        FOR UPDATE SKIP LOCKED
    ) q
    LIMIT $3
)
UPDATE webhook_queue SET due_at = now() + $4::interval, claim = claim + 1
WHERE delivery_id = ANY(ARRAY(SELECT delivery_id FROM picked))
RETURNING delivery_id, target, failures, claim
"""

_READ = """
SELECT d.id, d.tenant_id, d.endpoint_id, d.event_id, d.event_type, d.payload, d.created_at, d.attempts,
       CASE WHEN d.endpoint_id IS NULL THEN d.url ELSE e.url END AS url,
       coalesce(e.enabled, true) AS enabled,
       ARRAY(SELECT s.sealed FROM webhook_secrets s
             WHERE s.tenant_id = d.tenant_id AND s.endpoint_id IS NOT DISTINCT FROM d.endpoint_id
               AND (s.expires_at IS NULL OR s.expires_at > now())
             ORDER BY s.expires_at IS NOT NULL, s.created_at DESC, s.id DESC) AS sealed
FROM webhook_deliveries d LEFT JOIN webhook_endpoints e ON e.id = d.endpoint_id
WHERE d.id = ANY($1::uuid[]) AND d.id BETWEEN $2 AND $3
"""

_RELEASE = """
UPDATE webhook_queue q SET due_at = now()
FROM unnest($1::uuid[], $2::integer[]) AS c(id, claim)
WHERE q.delivery_id = ANY($1::uuid[]) AND q.delivery_id = c.id AND q.claim = c.claim
"""

_FIRST, _LAST = UUID(int=0), UUID(int=(1 << 128) - 1)


class QueueTable:
    """See ``DeliveryQueue``.

    Args:
        database: Acts as ``penstock_system``.
        box: Seals the secret of a tenant that has not asked for one yet.
        lease_s: How long a claimed delivery is this process's.
    """

    def __init__(self, database: Database, box: SecretBox, *, lease_s: float) -> None:
        self._database = database
        self._box = box
        self._lease = timedelta(seconds=lease_s)
        self._last_target = _FIRST

    async def claim(self, limit: int, *, room: Mapping[UUID, int], default_room: int) -> Claimed:
        """See ``DeliveryQueue.claim``; each look goes on where the one before stopped."""
        try:
            return await self._claim(limit, room, default_room)
        except asyncpg.PostgresError as error:  # a migration still to come, a broken disk
            raise DatabaseUnavailableError(f"PostgreSQL cannot be asked now ({error.sqlstate}).") from error

    async def _claim(self, limit: int, room: Mapping[UUID, int], default_room: int) -> Claimed:
        async with self._database.connection() as connection:
            next_due_s = await connection.fetchval(_NEXT_DUE)
            if next_due_s is None or next_due_s > 0:
                return Claimed((), next_due_s)
            full = sum(not places for places in room.values())
            targets = await self._due_targets(connection, limit + full)
            places = {target: room.get(target, default_room) for target in targets}
            rows = await self._take(connection, {one: most for one, most in places.items() if most}, limit)
            if rows:
                crash_points.reach(CrashPoint.DELIVER_CLAIMED)
            return Claimed(await self._read(connection, rows), None)

    async def _due_targets(self, connection: Connection, limit: int) -> list[UUID]:
        """List targets in the order of their ids, from the one after the last, once around."""
        begin, self._last_target = self._last_target, _FIRST
        first = await connection.fetch(_FIRST_DUE, _FEW)
        if len(first) < _FEW:
            targets = sorted({row["target"] for row in first}, key=lambda one: (one <= begin, one))
            if len(targets) > limit:
                self._last_target = targets[limit - 1]
            return targets[:limit]
        found: list[UUID] = []
        for after, until in ((begin, _LAST), (_FIRST, begin)):
            if after != until and len(found) < limit:
                rows = await connection.fetch(_TARGETS, after, until, limit - len(found))
                found += [row["target"] for row in rows]
        if len(found) == limit:
            self._last_target = found[-1]
        return found

    async def _take(
        self, connection: Connection, places: Mapping[UUID, int], limit: int
    ) -> list[asyncpg.Record]:
        if not places:
            return []
        rows: list[asyncpg.Record] = await connection.fetch(
            _CLAIM, list(places), list(places.values()), limit, self._lease
        )
        if len(rows) == limit:
            taken = {row["target"] for row in rows}
            self._last_target = [target for target in places if target in taken][-1]
        return rows

    async def _read(self, connection: Connection, claimed: Sequence[asyncpg.Record]) -> list[DueDelivery]:
        if not claimed:
            return []
        taken = {row["delivery_id"]: row for row in claimed}
        rows = await connection.fetch(_READ, list(taken), min(taken), max(taken))
        unsigned = {
            (row["tenant_id"], row["endpoint_id"]) for row in rows if row["url"] and not row["sealed"]
        }
        for tenant_id, endpoint_id in unsigned:
            await create_secret(connection, self._box, tenant_id=tenant_id, endpoint_id=endpoint_id)
        if unsigned:
            rows = await connection.fetch(_READ, list(taken), min(taken), max(taken))
        return [_delivery(row, taken[row["id"]]) for row in rows]

    async def release(self, deliveries: Sequence[DueDelivery]) -> None:
        """See ``DeliveryQueue.release``."""
        if deliveries:
            async with self._database.connection() as connection:
                await connection.execute(
                    _RELEASE, [one.id for one in deliveries], [one.claim for one in deliveries]
                )


def _delivery(row: asyncpg.Record, claimed: asyncpg.Record) -> DueDelivery:
    return DueDelivery(
        id=row["id"],
        tenant_id=row["tenant_id"],
        target=claimed["target"],
        endpoint_id=row["endpoint_id"],
        url=row["url"],
        enabled=row["enabled"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        payload=row["payload"].encode(),
        sealed_secrets=tuple(row["sealed"]),
        failures=claimed["failures"],
        claim=claimed["claim"],
        created_at=row["created_at"],
        attempts=row["attempts"],
    )
