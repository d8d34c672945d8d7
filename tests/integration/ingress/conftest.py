"""Ingress on real engines, with a stand-in worker behind the real broker."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import psycopg
import pytest
from openai import AsyncOpenAI
from pydantic import SecretStr

from services.ingress.app import running
from services.ingress.settings import IngressSettings
from shared.contracts.ids import new_id
from shared.messaging.factory import make_broker
from shared.runtime.health import Health
from shared.security.api_keys import mint
from shared.storage.bodies import BodyStore
from shared.storage.migrate import migrate
from shared.storage.postgres import Database
from tests.integration.ingress.stand_in import StandIn
from tests.support.fleet import free_port

PEPPER = "a pepper that is long enough for the tests"
SCRIPTS = ("echo", "fail", "silent", "gap", "cut", "large")


@dataclass
class Tenant:
    id: UUID
    api_key: str


@dataclass
class Api:
    url: str
    health: Health
    settings: IngressSettings
    http: aiohttp.ClientSession
    """As the tenant `alice`."""
    openai: AsyncOpenAI
    worker: StandIn
    stop: Callable[[], Awaitable[None]]


@pytest.fixture(scope="module")
def database_url(fresh_database: Callable[[], str]) -> str:
    url = fresh_database()
    asyncio.run(migrate(url))
    return url


def make_tenant(url: str, role: str = "tenant") -> Tenant:
    tenant_id, minted = new_id(), mint(SecretStr(PEPPER))
    with psycopg.connect(url) as connection:
        connection.execute("SET ROLE penstock_system")
        connection.execute("INSERT INTO tenants (id, name) VALUES (%s, 'test')", (tenant_id,))
        connection.execute(
            "INSERT INTO api_keys (id, tenant_id, key_id, digest, name, role)"
            " VALUES (%s, %s, %s, %s, 'test', %s)",
            (new_id(), tenant_id, minted.key_id, minted.digest, role),
        )
    return Tenant(tenant_id, minted.key)


@pytest.fixture(scope="module")
def alice(database_url: str) -> Tenant:
    return make_tenant(database_url)


@pytest.fixture(scope="module")
def bob(database_url: str) -> Tenant:
    return make_tenant(database_url)


@pytest.fixture
def make_settings(database_url: str, valkey_url: str, tmp_path: Path) -> Callable[..., IngressSettings]:
    def make(**ingress: Any) -> IngressSettings:
        url = SecretStr(database_url)
        return IngressSettings.model_validate(
            {
                "secret_key": PEPPER,
                "broker": {"url": url},
                "postgres": {"url": url},
                "redis": {"url": valkey_url},
                "objects": {"url": f"file://{tmp_path}/objects"},
                "port": free_port(),
                "shutdown_grace_s": 3,
                "providers": {"sim": {"models": [*SCRIPTS, "team/model"]}},
                "models": {"fast": {"targets": ["sim/echo"]}},
                "ingress": ingress,
            }
        )

    return make


@asynccontextmanager
async def serve(settings: IngressSettings, tenant: Tenant) -> AsyncGenerator[Api]:
    url = f"http://127.0.0.1:{settings.port}"
    headers = {"Authorization": f"Bearer {tenant.api_key}"}
    async with (
        Database(settings.postgres, role="penstock_system", name="stand-in") as database,
        asyncio.TaskGroup() as tasks,
    ):
        broker = make_broker(settings.broker, name="stand-in")
        worker = StandIn(broker, database, BodyStore(settings.objects), tasks)
        await worker.start()
        async with (
            aiohttp.ClientSession(url, headers=headers) as http,
            AsyncOpenAI(base_url=f"{url}/v1", api_key=tenant.api_key, max_retries=0) as openai,
            AsyncExitStack() as ingress,
        ):
            health = await ingress.enter_async_context(running(settings))
            await until_ready(health)
            yield Api(url, health, settings, http, openai, worker, ingress.aclose)
        worker.go_on.set()
        await broker.close()


async def eventually(holds: Callable[[], Awaitable[bool]], limit_s: float = 20) -> None:
    """Look again and again until something holds."""
    async with asyncio.timeout(limit_s):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.02)


async def until_ready(health: Health) -> None:
    async def ready() -> bool:
        return (await health.report())[0]

    await eventually(ready)


@pytest.fixture
async def api(make_settings: Callable[..., IngressSettings], alice: Tenant) -> AsyncGenerator[Api]:
    async with serve(make_settings(), alice) as served:
        yield served


def hello(model: str = "sim/echo", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hello dear world"}], **fields}


@pytest.fixture
def rows(database_url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET ROLE penstock_system")
        yield connection
