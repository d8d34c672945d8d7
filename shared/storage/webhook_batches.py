"""How a batch's end becomes an event for webhooks: the batch object as the API shows it."""

from uuid import UUID

from shared.storage.batch_object import BATCH_COLUMNS, batch_of
from shared.storage.postgres import Connection
from shared.storage.webhook_events import Event
from shared.storage.webhook_planning import plan_event

_GET = f"""SELECT {BATCH_COLUMNS}, b.completed, b.failed FROM batches b
WHERE b.id = $1"""  # noqa: S608 - a constant


async def plan_batch_end(connection: Connection, *, tenant_id: UUID, batch_id: UUID) -> None:
    """Tell the tenant's endpoints of a batch's end, in the transaction that ends it and after its changes."""
    batch = batch_of(await connection.fetchrow(_GET, batch_id))
    event = Event(type=f"batch.{batch.status}", data=batch.render())
    await plan_event(connection, event, tenant_id=tenant_id)
