"""Plans webhook deliveries, in the transaction that makes the event true.

A delivery is a row with the payload as it will be sent, and a row in the queue of what is still to be sent.
Both are committed with what they tell about, or not at all.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.contracts.ids import new_id, public_id
from shared.errors import NotFoundError
from shared.storage.postgres import Connection
from shared.storage.webhook_events import ENDPOINT_PREFIX, Event, url_for

_ENDPOINTS = """
SELECT id FROM webhook_endpoints WHERE tenant_id = $1 AND enabled AND webhook_wants(events, $2)
"""

_PLAN = """
WITH planned AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::uuid[],
                         $8::text[])
    AS p(id, tenant_id, event_id, event_type, endpoint_id, url, target, payload)
), queued AS (
    INSERT INTO webhook_queue (delivery_id, tenant_id, target) SELECT id, tenant_id, target FROM planned
)
INSERT INTO webhook_deliveries (id, tenant_id, event_id, event_type, endpoint_id, url, target, payload)
SELECT * FROM planned
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """An event and who is to hear of it."""

    tenant_id: UUID
    event: Event
    endpoints: Sequence[UUID] = ()
    url: str | None = None
    """One that the object itself names."""


async def plan_event(
    connection: Connection, event: Event, *, tenant_id: UUID, webhook: Mapping[str, Any] | None = None
) -> int:
    """Plan an event's deliveries: to every endpoint of the tenant that wants it, and to the object's own URL.

    Args:
        connection: Of either role, in the transaction that makes the event true.
        event: What happened.
        tenant_id: Whose.
        webhook: ``{"url": ..., "events": [...] or None}``, as a job has it.

    Returns:
        How many deliveries there will be.
    """
    rows = await connection.fetch(_ENDPOINTS, tenant_id, event.type)
    planned = Planned(
        tenant_id=tenant_id,
        event=event,
        endpoints=[row["id"] for row in rows],
        url=url_for(webhook, event.type),
    )
    return await plan(connection, [planned])


async def plan_test(connection: Connection, *, tenant_id: UUID, endpoint_id: UUID) -> UUID:
    """Plan a ``webhook_endpoint.test`` event for one endpoint, whatever its filter.

    Returns:
        The delivery's id.

    Raises:
        NotFoundError: The tenant has no such endpoint.
    """
    found = await connection.fetchval(
        "SELECT id FROM webhook_endpoints WHERE id = $1 AND tenant_id = $2", endpoint_id, tenant_id
    )
    name = public_id(ENDPOINT_PREFIX, endpoint_id)
    if found is None:
        raise NotFoundError(f"No {ENDPOINT_PREFIX} has the id {name!r}.")
    data = {"id": name, "object": "webhook_endpoint"}
    event = Event(type="webhook_endpoint.test", data=data)
    (row,) = rows_of(Planned(tenant_id=tenant_id, event=event, endpoints=[endpoint_id]))
    await _insert(connection, [row])
    return row.id


async def plan(connection: Connection, planned: Iterable[Planned]) -> int:
    """Plan several events' deliveries in one statement; returns how many there will be."""
    rows = [row for one in planned for row in rows_of(one)]
    await _insert(connection, rows)
    return len(rows)


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """What is inserted for one delivery."""

    id: UUID
    tenant_id: UUID
    event_id: UUID
    event_type: str
    endpoint_id: UUID | None
    url: str | None
    target: UUID
    payload: str


def rows_of(planned: Planned) -> list[DeliveryRow]:
    """Spell an event's deliveries."""
    event, tenant = planned.event, planned.tenant_id
    receivers: list[tuple[UUID | None, str | None, UUID]] = [(one, None, one) for one in planned.endpoints]
    if planned.url is not None:
        receivers.append((None, planned.url, _host_of(tenant, planned.url)))
    payload = event.payload if receivers else ""
    return [
        DeliveryRow(new_id(), tenant, event.id, event.type, endpoint, url, target, payload)
        for endpoint, url, target in receivers
    ]


async def _insert(connection: Connection, rows: Sequence[DeliveryRow]) -> None:
    if rows:
        columns = [[getattr(row, name) for row in rows] for name in DeliveryRow.__slots__]
        await connection.execute(_PLAN, *columns)


def _host_of(tenant_id: UUID, url: str) -> UUID:
    """Name a tenant's use of one server, so that all URLs on it share a limit."""
    origin = "/".join(url.split("/", 3)[:3]).lower()
    return UUID(bytes=hashlib.sha256(tenant_id.bytes + origin.encode()).digest()[:16])
