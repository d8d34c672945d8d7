"""Endpoints and deliveries for tests, made as ingress makes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from shared.contracts.ids import new_id
from shared.security.webhook_secrets import SecretBox
from shared.storage.postgres import Database
from shared.storage.webhook_events import Event
from shared.storage.webhook_planning import plan_event
from shared.storage.webhook_secrets import create_secret

SECRET_KEY = SecretStr("x" * 32)
"""The one of ``service_settings``."""

_INSERT = "INSERT INTO webhook_endpoints (id, tenant_id, url, events) VALUES ($1, $2, $3, $4)"


@dataclass(frozen=True)
class Endpoint:
    id: UUID
    tenant: UUID
    secret: str


class Hooks:
    """Writes as ``penstock_app``, reads as ``penstock_system``."""

    def __init__(self, app: Database, system: Database, *, secret_key: SecretStr = SECRET_KEY) -> None:
        self.app = app
        self.system = system
        self.box = SecretBox(secret_key)

    async def endpoint(
        self, url: str, *, tenant: UUID | None = None, events: Sequence[str] = ("*",)
    ) -> Endpoint:
        made, tenant = new_id(), tenant or new_id()
        async with self.app.transaction(tenant) as connection:
            await connection.execute(_INSERT, made, tenant, url, list(events))
            secret = await create_secret(connection, self.box, tenant_id=tenant, endpoint_id=made)
        return Endpoint(made, tenant, secret)

    async def happen(self, tenant: UUID, event_type: str = "batch.completed", **fields: Any) -> int:
        """Plan an event; returns how many deliveries there will be."""
        event = Event(type=event_type, data={"id": f"batch_{new_id().hex}"})
        async with self.app.transaction(tenant) as connection:
            return await plan_event(connection, event, tenant_id=tenant, **fields)

    async def deliveries(self, tenant: UUID) -> list[dict[str, Any]]:
        """Oldest first."""
        return await self.fetch("SELECT * FROM webhook_deliveries WHERE tenant_id = $1 ORDER BY id", tenant)

    async def queued(self, tenant: UUID) -> list[dict[str, Any]]:
        return await self.fetch(
            "SELECT *, extract(epoch FROM due_at - now())::float8 AS due_in_s FROM webhook_queue "
            "WHERE tenant_id = $1",
            tenant,
        )

    async def row(self, endpoint: Endpoint) -> dict[str, Any]:
        (row,) = await self.fetch("SELECT * FROM webhook_endpoints WHERE id = $1", endpoint.id)
        return row

    async def execute(self, statement: str, *arguments: Any) -> None:
        async with self.system.transaction() as connection:
            await connection.execute(statement, *arguments)

    async def fetch(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        async with self.system.transaction() as connection:
            return [dict(row) for row in await connection.fetch(statement, *arguments)]

    async def ended(self, tenant: UUID, count: int = 1) -> list[dict[str, Any]]:
        """Return the deliveries, once so many have ended; [] before."""
        rows = [row for row in await self.deliveries(tenant) if row["status"] != "pending"]
        return rows if len(rows) >= count else []
