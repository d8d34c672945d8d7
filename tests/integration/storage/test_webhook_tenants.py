"""What one tenant has of webhooks no other sees or touches."""

import contextlib

import asyncpg
import pytest

from shared.contracts.ids import new_id
from shared.errors import NotFoundError
from shared.storage.postgres import Database
from shared.storage.webhook_planning import plan_test
from shared.storage.webhook_secrets import MAX_LIVE, create_secret, live_secrets, rotate_secret
from tests.support.webhooks import Endpoint, Hooks

TABLES = ("webhook_endpoints", "webhook_secrets", "webhook_deliveries", "webhook_queue")


@pytest.fixture
def hooks(app: Database, system: Database) -> Hooks:
    return Hooks(app, system)


@pytest.fixture
async def victim(hooks: Hooks) -> Endpoint:
    endpoint = await hooks.endpoint("https://example.com/hook")
    assert await hooks.happen(endpoint.tenant) == 1
    return endpoint


@pytest.mark.parametrize("table", TABLES)
async def test_rows_of_another_tenant_are_neither_seen_nor_changed(
    table: str, victim: Endpoint, app: Database
) -> None:
    async with app.transaction(victim.tenant) as connection:
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 1  # noqa: S608 - a constant
    for tenant in (new_id(), None):
        async with app.transaction(tenant) as connection:
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 - the same
            done = await connection.execute(f"UPDATE {table} SET tenant_id = tenant_id")  # noqa: S608 - the same
        assert done == "UPDATE 0"


@pytest.mark.parametrize("table", TABLES)
async def test_rows_cannot_be_given_to_another_tenant(table: str, victim: Endpoint, app: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with app.transaction(victim.tenant) as connection:
            await connection.execute(f"UPDATE {table} SET tenant_id = $1", new_id())  # noqa: S608 - a constant


async def test_no_event_of_one_tenant_goes_to_an_endpoint_of_another(victim: Endpoint, hooks: Hooks) -> None:
    other = new_id()
    assert await hooks.happen(other) == 0
    with pytest.raises(NotFoundError):
        async with hooks.app.transaction(other) as connection:
            await plan_test(connection, tenant_id=other, endpoint_id=victim.id)
    assert len(await hooks.deliveries(victim.tenant)) == 1


async def test_a_secret_cannot_be_read_by_another_tenant(victim: Endpoint, hooks: Hooks) -> None:
    async with hooks.app.transaction(new_id()) as connection:
        assert not await live_secrets(connection, hooks.box, tenant_id=victim.tenant, endpoint_id=victim.id)
    stored = await hooks.fetch("SELECT sealed FROM webhook_secrets WHERE endpoint_id = $1", victim.id)
    assert victim.secret.encode() not in stored[0]["sealed"]


async def test_secrets_are_replaced_and_few_stay_alive(victim: Endpoint, hooks: Hooks) -> None:
    named = {"tenant_id": victim.tenant, "endpoint_id": victim.id}
    made = [victim.secret]
    for _ in range(MAX_LIVE + 2):
        async with hooks.app.transaction(victim.tenant) as connection:
            made.append(await rotate_secret(connection, hooks.box, **named, overlap_s=60))
    async with hooks.app.transaction(victim.tenant) as connection:
        live = await live_secrets(connection, hooks.box, **named)
        assert live == made[: -MAX_LIVE - 1 : -1]
        first = await create_secret(connection, hooks.box, tenant_id=victim.tenant, endpoint_id=None)
        assert await create_secret(connection, hooks.box, tenant_id=victim.tenant, endpoint_id=None) == first
        assert first not in live


async def test_events_and_deliveries_are_committed_together_or_not_at_all(
    victim: Endpoint, hooks: Hooks
) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async with hooks.app.transaction(victim.tenant) as connection:
            await plan_test(connection, tenant_id=victim.tenant, endpoint_id=victim.id)
            raise ZeroDivisionError
    assert len(await hooks.deliveries(victim.tenant)) == len(await hooks.queued(victim.tenant)) == 1


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        ("{*}", True),
        ("{batch.*}", True),
        ("{batch.completed}", True),
        ("{job.*,batch.completed}", True),
        ("{}", False),
        ("{job.*}", False),
        ("{batch}", False),
        ("{batch.comp*}", False),
        ("{batch.completed.*}", False),
        ("{%}", False),
        ("{batch_completed}", False),
    ],
)
async def test_patterns_choose_events(patterns: str, wanted: bool, hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("https://example.com", events=patterns.strip("{}").split(","))
    assert await hooks.happen(endpoint.tenant) == int(wanted)
