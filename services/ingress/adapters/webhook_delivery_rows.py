"""Deliveries as PostgreSQL has them; every statement sees one tenant only."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from services.ingress.adapters.patience import database_patience
from services.ingress.domain.webhook_delivery import WebhookDelivery
from services.ingress.domain.webhook_delivery_filter import DeliveryConditions, DeliveryPage
from shared.contracts.ids import first_id_at
from shared.errors import ConflictError, DatabaseUnavailableError, NotFoundError
from shared.storage.postgres import Connection, Database
from shared.storage.webhook_planning import plan_test
from shared.storage.webhook_redelivery import DeliveryFilter, matching_deliveries, redeliver

REDELIVERIES_A_TRANSACTION = 1_000
"""So that each stays well below what a caller's patience is."""
_COLUMNS = """id, event_id, event_type, endpoint_id, url, status, attempts, created_at, last_attempt_at,
    next_attempt_at, finished_at, response_status, response_excerpt, duration_ms, error"""
_GET = f"""SELECT {_COLUMNS}, payload, earlier::text AS earlier FROM webhook_deliveries
WHERE id = $1 AND ($2::uuid IS NULL OR endpoint_id = $2)"""  # noqa: S608 - a constant
_PAGE = f"""SELECT {_COLUMNS} FROM webhook_deliveries
WHERE tenant_id = $1 AND ($2::uuid IS NULL OR endpoint_id = $2)
  AND ($3::uuid IS NULL OR id < $3) AND ($4::uuid IS NULL OR id >= $4) AND ($5::uuid IS NULL OR id < $5)
  AND ($6::text IS NULL OR status = $6) AND ($7::text IS NULL OR event_type = $7)
ORDER BY id DESC LIMIT $8"""  # noqa: S608 - the same

_ENABLED = "SELECT enabled FROM webhook_endpoints WHERE id = $1"


class EndpointDisabledError(ConflictError):
    """Something is to be sent to an endpoint that gets nothing."""

    code = "webhook_endpoint_disabled"


class WebhookDeliveryRows:
    """Reads deliveries and has them sent again.

    Where an endpoint is named, only its deliveries are there; None means all of the tenant's. Every
    method raises NotFoundError for what does not exist or is another tenant's, and
    DatabaseUnavailableError within two seconds.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant_id: UUID, endpoint_id: UUID | None, delivery_id: UUID) -> WebhookDelivery:
        """Return one with what was sent."""
        async with self._as(tenant_id) as connection:
            return await _one(connection, endpoint_id, delivery_id)

    async def page(
        self, tenant_id: UUID, endpoint_id: UUID | None, wanted: DeliveryPage
    ) -> tuple[Sequence[WebhookDelivery], bool]:
        """Return one page, newest first, and whether there are more."""
        conditions = wanted.conditions
        async with self._as(tenant_id) as connection:
            if endpoint_id is not None:
                await _is_enabled(connection, endpoint_id)
            rows = await connection.fetch(
                _PAGE,
                tenant_id,
                endpoint_id,
                wanted.before,
                conditions.created_after and first_id_at(conditions.created_after),
                conditions.created_before and first_id_at(conditions.created_before),
                conditions.status,
                conditions.event_type,
                wanted.limit + 1,
            )
        return [_delivery(row) for row in rows[: wanted.limit]], len(rows) > wanted.limit

    async def test(self, tenant_id: UUID, endpoint_id: UUID) -> WebhookDelivery:
        """Plan a test event to one endpoint, whatever its filter.

        Raises:
            EndpointDisabledError: It is disabled.
        """
        async with self._as(tenant_id) as connection:
            await _require_enabled(connection, endpoint_id)
            try:
                delivery_id = await plan_test(connection, tenant_id=tenant_id, endpoint_id=endpoint_id)
            except asyncpg.CheckViolationError as error:
                message = "The partition of the day is still to be made."
                raise DatabaseUnavailableError(message) from error
            return await _one(connection, endpoint_id, delivery_id)

    async def redeliver(
        self, tenant_id: UUID, endpoint_id: UUID | None, delivery_id: UUID
    ) -> WebhookDelivery:
        """Send one again, with the same ``webhook-id``.

        Raises:
            EndpointDisabledError: Its endpoint is disabled, or was deleted.
        """
        async with self._as(tenant_id) as connection:
            found = await _one(connection, endpoint_id, delivery_id)
            if found.endpoint_id is not None and not await connection.fetchval(_ENABLED, found.endpoint_id):
                raise EndpointDisabledError("The endpoint of this delivery is disabled, or was deleted.")
            await redeliver(connection, [delivery_id])
            return await _one(connection, endpoint_id, delivery_id)

    async def redeliver_matching(
        self, tenant_id: UUID, endpoint_id: UUID, conditions: DeliveryConditions, limit: int
    ) -> int:
        """Send those again that fulfil the conditions, ``limit`` at most, the oldest first; returns how many.

        Raises:
            EndpointDisabledError: The endpoint is disabled.
            DatabaseUnavailableError: Perhaps after a part of them; to repeat the call goes on with the rest.
        """
        where = DeliveryFilter(
            endpoint_id=endpoint_id,
            status=conditions.status,
            event_type=conditions.event_type,
            created_after=conditions.created_after,
            created_before=conditions.created_before,
        )
        async with self._as(tenant_id) as connection:
            await _require_enabled(connection, endpoint_id)
            ids = await matching_deliveries(connection, where, limit=limit)
        count = 0
        for at in range(0, len(ids), REDELIVERIES_A_TRANSACTION):
            async with self._as(tenant_id) as connection:
                count += len(await redeliver(connection, ids[at : at + REDELIVERIES_A_TRANSACTION]))
        return count

    @asynccontextmanager
    async def _as(self, tenant_id: UUID) -> AsyncIterator[Connection]:
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            yield connection


async def _is_enabled(connection: Connection, endpoint_id: UUID) -> bool:
    enabled: bool | None = await connection.fetchval(_ENABLED, endpoint_id)
    if enabled is None:
        raise NotFoundError("There is no webhook endpoint with this id.")
    return enabled


async def _require_enabled(connection: Connection, endpoint_id: UUID) -> None:
    if not await _is_enabled(connection, endpoint_id):
        raise EndpointDisabledError("The webhook endpoint is disabled; enable it first.")


async def _one(connection: Connection, endpoint_id: UUID | None, delivery_id: UUID) -> WebhookDelivery:
    row: asyncpg.Record | None = await connection.fetchrow(_GET, delivery_id, endpoint_id)
    if row is None:
        raise NotFoundError("There is no delivery with this id.")
    return _delivery(row)


def _delivery(row: asyncpg.Record) -> WebhookDelivery:
    return WebhookDelivery(**row)
