"""Keys are looked up once in a while, never twice at once, and stop working when they are revoked."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from services.ingress.adapters.api_keys import ApiKeys
from services.ingress.settings import IngressSettings
from shared.config.settings import PostgresSettings
from shared.errors import AuthenticationError, DatabaseUnavailableError
from shared.storage.postgres import Database
from tests.integration.ingress.conftest import PEPPER, Tenant, make_tenant


class Clock:
    def __init__(self) -> None:
        self.now = time.monotonic()

    def __call__(self) -> float:
        return self.now


class CountingDatabase(Database):
    """The real one; counts its transactions."""

    transactions = 0

    @asynccontextmanager
    async def transaction(self, tenant_id: Any = None) -> AsyncGenerator[Any]:
        self.transactions += 1
        async with super().transaction(tenant_id) as connection:
            yield connection


@pytest.fixture
async def database(make_settings: Callable[..., IngressSettings]) -> AsyncGenerator[CountingDatabase]:
    async with CountingDatabase(make_settings().postgres, role="penstock_app", name="keys") as database:
        yield database


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def keys(database: CountingDatabase, clock: Clock) -> AsyncGenerator[ApiKeys]:
    async with asyncio.TaskGroup() as tasks:
        yield ApiKeys(database, SecretStr(PEPPER), tasks, fresh_s=30, stale_s=300, size=3, clock=clock)


@pytest.fixture
def tenant(database_url: str) -> Iterator[Tenant]:
    return make_tenant(database_url)


async def test_concurrent_look_ups_of_one_key_share_one_query(
    keys: ApiKeys, database: CountingDatabase, tenant: Tenant
):
    principals = await asyncio.gather(*(keys.authenticate(tenant.api_key) for _ in range(50)))
    await keys.authenticate(tenant.api_key)
    assert {principal.tenant_id for principal in principals} == {tenant.id}
    assert database.transactions == 1


async def test_a_revoked_key_works_no_longer_than_it_is_believed(
    keys: ApiKeys, clock: Clock, tenant: Tenant, rows: psycopg.Connection[Any]
):
    await keys.authenticate(tenant.api_key)
    rows.execute("UPDATE api_keys SET revoked_at = now() WHERE tenant_id = %s", (tenant.id,))
    await keys.authenticate(tenant.api_key)
    clock.now += 30
    with pytest.raises(AuthenticationError):
        await keys.authenticate(tenant.api_key)


async def test_a_key_with_another_secret_is_refused_although_the_id_is_known(keys: ApiKeys, tenant: Tenant):
    await keys.authenticate(tenant.api_key)
    changed = tenant.api_key[:-1] + ("A" if tenant.api_key[-1] != "A" else "B")
    with pytest.raises(AuthenticationError):
        await keys.authenticate(changed)


async def test_guessed_keys_do_not_push_out_those_in_use(
    keys: ApiKeys, database: CountingDatabase, tenant: Tenant
):
    await keys.authenticate(tenant.api_key)
    for number in range(10):
        with pytest.raises(AuthenticationError):
            await keys.authenticate(f"sk-penstock-{number:016x}-{'x' * 43}")
    asked = database.transactions
    with pytest.raises(AuthenticationError):
        await keys.authenticate(f"sk-penstock-{9:016x}-{'x' * 43}")
    await keys.authenticate(tenant.api_key)
    assert database.transactions == asked


async def test_a_database_without_the_schema_is_an_outage_and_ends_no_process(
    fresh_database: Callable[[], str], database_url: str, clock: Clock
):
    empty = PostgresSettings(url=SecretStr(fresh_database()))
    missing = PostgresSettings(url=SecretStr(empty.url.get_secret_value().replace("/test_", "/no_test_")))
    for settings in (empty, missing):
        async with (
            Database(settings, role="penstock_app", name="keys") as database,
            asyncio.TaskGroup() as tasks,
        ):
            keys = ApiKeys(database, SecretStr(PEPPER), tasks, fresh_s=30, stale_s=300, size=3, clock=clock)
            with pytest.raises(DatabaseUnavailableError):
                await keys.authenticate(f"sk-penstock-{1:016x}-{'x' * 43}")
