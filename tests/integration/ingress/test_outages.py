"""A dependency that is down gets a bounded honest answer, and everything recovers by itself."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import psycopg
import pytest

from services.ingress.adapters import bulk_commit
from services.ingress.app import running
from services.ingress.settings import IngressSettings
from shared.config.settings import BrokerSettings, PostgresSettings, RedisSettings
from shared.runtime.engines.postgres import EmbeddedPostgres
from shared.storage.migrate import migrate
from tests.integration.ingress.conftest import (
    Api,
    Tenant,
    eventually,
    hello,
    make_tenant,
    serve,
    until_ready,
)

CHAT = "/v1/chat/completions"
WEBHOOKS = (
    ("POST", "/v1/webhook_endpoints", {"url": "https://hooks.example.com/"}),
    ("GET", f"/v1/webhook_endpoints/we_{'0' * 32}", None),
    ("GET", "/v1/webhook_deliveries", None),
    ("POST", "/v1/webhook_secret/rotate", {}),
)
JOB = {"operation": "chat", "input": hello("sim/silent")}
BOUND_S = 2.0
RECOVERY_S = 20


def engine(folder: Path) -> EmbeddedPostgres:
    server = EmbeddedPostgres(folder / "data", folder / "run")
    server.start()
    return server


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    server = engine(tmp_path_factory.mktemp("database"))
    asyncio.run(migrate(server.url))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    server = engine(tmp_path_factory.mktemp("broker"))
    yield server
    server.stop()


@pytest.fixture
def settings(
    database: EmbeddedPostgres, broker: EmbeddedPostgres, make_settings: Callable[..., IngressSettings]
) -> IngressSettings:
    return make_settings(key_cache_s=0.1).model_copy(
        update={
            "postgres": PostgresSettings.model_validate({"url": database.url}),
            "broker": BrokerSettings.model_validate({"url": broker.url}),
        }
    )


@pytest.fixture
def carol(database: EmbeddedPostgres) -> Tenant:
    return make_tenant(database.url)


@pytest.fixture
async def api(settings: IngressSettings, carol: Tenant) -> AsyncGenerator[Api]:
    async with serve(settings, carol) as served:
        yield served


async def ask(http: aiohttp.ClientSession, method: str, path: str, **kwargs: Any) -> tuple[int, Any]:
    """Ask once; fails when the answer takes too long, or an outage does not say when to come again."""
    began = time.monotonic()
    async with http.request(method, path, **kwargs) as answer:
        body = await answer.json()
        assert time.monotonic() - began < BOUND_S
        if answer.status == 503 and path.startswith("/v1"):
            assert int(answer.headers["Retry-After"]) >= 1
            assert body["error"]["type"] == "server_error"
        return answer.status, body


async def until(http: aiohttp.ClientSession, status: int, method: str, path: str, **kwargs: Any) -> None:
    async def answered() -> bool:
        return (await ask(http, method, path, **kwargs))[0] == status

    await eventually(answered, RECOVERY_S)


@asynccontextmanager
async def stopped(server: EmbeddedPostgres) -> AsyncGenerator[None]:
    await asyncio.to_thread(server.stop)
    try:
        yield
    finally:
        await asyncio.to_thread(server.start)


@asynccontextmanager
async def silent(server: EmbeddedPostgres) -> AsyncGenerator[None]:
    """Suspend every process of a server: connections stay open and nothing answers."""
    postmaster = psutil.Process(server.pid)
    family = [postmaster, *postmaster.children(recursive=True)]
    for process in family:
        process.suspend()
    try:
        yield
    finally:
        for process in family:
            process.resume()


@pytest.mark.parametrize("down", [stopped, silent])
async def test_without_the_broker_calls_fail_at_once_and_jobs_are_still_accepted(
    api: Api, broker: EmbeddedPostgres, down: Callable[..., Any]
):
    assert (await ask(api.http, "POST", CHAT, json=hello()))[0] == 200
    async with down(broker):
        for _ in range(3):
            assert (await ask(api.http, "POST", CHAT, json=hello()))[0] == 503
        assert (await ask(api.http, "POST", CHAT, json=hello(stream=True)))[0] == 503
        assert (await ask(api.http, "POST", "/v1/jobs", json=JOB))[0] == 202
        assert (await ask(api.http, "GET", "/v1/jobs"))[0] == 200
        ready, words = await ask(api.http, "GET", "/health/ready")
        assert (ready, words["dependencies"]["postgres"]) == (503, "ok")
        assert words["dependencies"]["broker"] != "ok"
    await until(api.http, 200, "POST", CHAT, json=hello())


@pytest.mark.parametrize("down", [stopped, silent])
async def test_without_postgresql_calls_go_on_and_jobs_wait_for_a_retry(
    api: Api, database: EmbeddedPostgres, down: Callable[..., Any]
):
    status, job = await ask(api.http, "POST", "/v1/jobs", json=JOB)
    assert status == 202
    stranger = {"Authorization": f"Bearer sk-penstock-{'0' * 16}-{'x' * 43}"}
    async with down(database):
        for _ in range(2):
            assert (await ask(api.http, "POST", CHAT, json=hello()))[0] == 200
        assert (await ask(api.http, "POST", "/v1/jobs", json=JOB))[0] == 503
        assert (await ask(api.http, "GET", job["urls"]["self"]))[0] == 503
        assert (await ask(api.http, "GET", job["urls"]["events"]))[0] == 503
        changes = [
            ("POST", job["urls"]["cancel"], None),
            ("POST", job["urls"]["retry"], None),
            ("DELETE", job["urls"]["self"], None),
            ("POST", "/v1/jobs/cancel", {"ids": [job["id"]]}),
            ("POST", "/v1/jobs/retry", {"filter": {}}),
        ]
        answers = await asyncio.gather(*(ask(api.http, how, path, json=body) for how, path, body in changes))
        assert [status for status, _ in answers] == [503] * 5
        assert (await ask(api.http, "GET", "/v1/jobs", headers=stranger))[0] == 503
        keyed = {"json": JOB, "headers": {"Idempotency-Key": "away"}}
        batch = {"jobs": [JOB]}
        together = await asyncio.gather(
            *(ask(api.http, "POST", "/v1/jobs", json=JOB) for _ in range(30)),
            *(ask(api.http, method, path, json=body) for method, path, body in WEBHOOKS),
            ask(api.http, "POST", "/v1/jobs", **keyed),
            ask(api.http, "POST", CHAT, **{**keyed, "json": hello()}),
            ask(api.http, "POST", "/v1/jobs/batch", **{**keyed, "json": batch}),
            ask(api.http, "POST", "/v1/jobs/batch", json=batch),
        )
        assert {status for status, _ in together} == {503}
    await until(api.http, 202, "POST", "/v1/jobs", json=JOB)
    await until(api.http, 200, "GET", job["urls"]["self"])
    assert (await ask(api.http, "GET", "/v1/jobs", headers=stranger))[0] == 401


async def test_a_batch_that_meets_silence_in_its_middle_hears_of_it_and_can_be_sent_again(
    api: Api, database: EmbeddedPostgres, carol: Tenant, monkeypatch: pytest.MonkeyPatch
):
    body, key = {"jobs": [JOB] * 300}, {"Idempotency-Key": "in-the-middle"}
    insert = bulk_commit.insert_jobs
    async with AsyncExitStack() as outage:

        async def falling_silent(*arguments: Any, **options: Any) -> Any:
            written = await insert(*arguments, **options)
            await outage.enter_async_context(silent(database))
            return written

        monkeypatch.setattr(bulk_commit, "insert_jobs", falling_silent)
        assert (await ask(api.http, "POST", "/v1/jobs/batch", json=body, headers=key))[0] == 503
    monkeypatch.setattr(bulk_commit, "insert_jobs", insert)
    await until(api.http, 202, "POST", "/v1/jobs/batch", json=body, headers=key)
    with psycopg.connect(database.url) as connection:
        connection.execute("SET ROLE penstock_system")
        found = connection.execute(
            "SELECT count(*) FROM jobs j JOIN api_keys USING (tenant_id) WHERE api_keys.tenant_id = %s",
            (carol.id,),
        ).fetchone()
    assert found == (300,)


async def test_an_open_event_stream_outlives_an_outage_of_postgresql(api: Api, database: EmbeddedPostgres):
    _, job = await ask(api.http, "POST", "/v1/jobs", json=JOB)
    async with api.http.get(job["urls"]["events"]) as stream:
        assert await stream.content.readline() == b"id: 1\n"
        async with stopped(database):
            pass
        await until(api.http, 200, "POST", job["urls"]["cancel"])
        async with asyncio.timeout(RECOVERY_S):
            assert b"event: job.cancelled" in await stream.content.read()


async def test_a_job_that_is_accepted_stays_accepted_when_the_wait_for_it_fails(
    api: Api, database: EmbeddedPostgres
):
    async with asyncio.TaskGroup() as tasks:
        headers = {"Prefer": "respond-async, wait=30"}
        submitted = tasks.create_task(_submit(api.http, headers))
        await api.worker.seen.get()
        async with stopped(database):
            status, job = await submitted
    assert (status, job["status"]) == (202, "queued")
    await until(api.http, 200, "GET", job["urls"]["self"])


async def _submit(http: aiohttp.ClientSession, headers: dict[str, str]) -> tuple[int, Any]:
    async with http.post(CHAT, json=hello("sim/silent"), headers=headers) as answer:
        return answer.status, await answer.json()


async def test_a_day_without_its_partition_is_a_wait_and_no_bug(api: Api, database: EmbeddedPostgres):
    with psycopg.connect(database.url, autocommit=True) as owner:
        days = [name for (name,) in owner.execute(_DAYS)]
        parts = [(name, _bounds(owner, name)) for name in days]
        for name, _ in parts:
            owner.execute(f"ALTER TABLE jobs DETACH PARTITION {name}")
        try:
            assert (await ask(api.http, "POST", "/v1/jobs", json=JOB))[0] == 503
        finally:
            for name, bounds in parts:
                owner.execute(f"ALTER TABLE jobs ATTACH PARTITION {name} {bounds}")
    assert (await ask(api.http, "POST", "/v1/jobs", json=JOB))[0] == 202


_DAYS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'jobs'::regclass"


def _bounds(owner: psycopg.Connection[Any], name: str) -> str:
    found = owner.execute(
        "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = %s::regclass", (name,)
    )
    return str(found.fetchall()[0][0])


async def test_without_redis_a_job_can_be_cancelled(settings: IngressSettings, carol: Tenant, tmp_path: Path):
    redis = RedisSettings.model_validate({"url": f"unix://{tmp_path}/nobody.sock"})
    async with serve(settings.model_copy(update={"redis": redis}), carol) as api:
        _, job = await ask(api.http, "POST", "/v1/jobs", json=JOB)
        assert (await ask(api.http, "POST", job["urls"]["cancel"]))[0] == 200
        status, words = await ask(api.http, "GET", "/health/ready")
        assert (status, words["status"]) == (200, "degraded")
        async with asyncio.timeout(RECOVERY_S):
            await api.worker.cancelled.get()


async def test_ingress_starts_before_its_broker(
    settings: IngressSettings, carol: Tenant, broker: EmbeddedPostgres
):
    headers = {"Authorization": f"Bearer {carol.api_key}"}
    url = f"http://127.0.0.1:{settings.port}"
    async with stopped(broker):
        starting = running(settings)
        health = await starting.__aenter__()
        async with aiohttp.ClientSession(url, headers=headers) as http:
            assert (await ask(http, "POST", CHAT, json=hello()))[0] == 503
            assert (await ask(http, "POST", "/v1/jobs", json=JOB))[0] == 202
            assert (await ask(http, "GET", "/health/live"))[0] == 200
    await until_ready(health)
    await starting.__aexit__(None, None, None)


@pytest.mark.parametrize("down", [stopped, silent])
async def test_operators_hear_at_once_which_server_is_away(
    api: Api, broker: EmbeddedPostgres, database: EmbeddedPostgres, down: Callable[..., Any]
):
    queue = "/api/v1/admin/queues/jobs.chat.batch"
    operator = {"Authorization": f"Bearer {make_tenant(database.url, 'operator').api_key}"}
    purge = {"json": {"confirm": "jobs.chat.batch.v1"}, "headers": operator}
    every = {"json": {"all": True}, "headers": operator}
    assert (await ask(api.http, "GET", queue, headers=operator))[0] == 200
    async with down(broker):
        for method, path, how in (
            ("GET", queue, {"headers": operator}),
            ("POST", f"{queue}/pause", {"headers": operator}),
            ("POST", f"{queue}/purge", purge),
            ("GET", f"{queue}/dead-letters", {"headers": operator}),
            ("POST", f"{queue}/dead-letters/replay", every),
            ("GET", "/api/v1/admin/workers", {"headers": operator}),
        ):
            status, body = await ask(api.http, method, path, **how)
            assert (status, body["error"]) == (503, "broker_unavailable"), path
    await until(api.http, 200, "GET", queue, headers=operator)
    async with down(database):
        status, body = await ask(api.http, "POST", f"{queue}/drain", headers=operator)
        assert (status, body["error"]) == (503, "database_unavailable")
        assert (await ask(api.http, "GET", queue, headers=operator))[0] == 200
    await until(api.http, 200, "POST", f"{queue}/resume", headers=operator)
