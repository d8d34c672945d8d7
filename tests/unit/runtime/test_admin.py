"""The admin port over real sockets."""

import asyncio
import socket
from dataclasses import dataclass

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.config.settings import AdminSettings
from shared.errors import DatabaseUnavailableError
from shared.runtime.admin import admin_server
from shared.runtime.health import Health
from shared.runtime.listening import ListenError


@dataclass
class Dependency:
    error: BaseException | None = None
    asked: int = 0

    async def ping(self):
        self.asked += 1
        if self.error:
            raise self.error


async def hang():
    await asyncio.Event().wait()


async def get(port, path, **headers):
    timeout = aiohttp.ClientTimeout(total=5)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(f"http://127.0.0.1:{port}{path}", headers=headers) as answer,
    ):
        if answer.content_type == "application/json":
            return answer.status, await answer.json()
        return answer.status, await answer.text()


async def test_a_service_with_everything_it_needs_is_ready():
    health = Health(required={"postgres": Dependency().ping})
    async with admin_server(AdminSettings(), health) as port:
        assert await get(port, "/health/live") == (200, {"status": "ok"})
        expected = (200, {"status": "ok", "dependencies": {"postgres": "ok"}})
        assert await get(port, "/health/ready") == expected
        assert await get(port, "/healthcheck") == expected
        assert (await get(port, "/nothing"))[0] == 404


async def test_without_a_required_dependency_it_is_alive_but_not_ready_and_recovers():
    database = Dependency(DatabaseUnavailableError("PostgreSQL does not answer."))
    async with admin_server(AdminSettings(), Health(required={"postgres": database.ping})) as port:
        status, body = await get(port, "/health/ready")
        assert (status, body["status"]) == (503, "unavailable")
        assert body["dependencies"] == {"postgres": "PostgreSQL does not answer."}
        assert (await get(port, "/health/live"))[0] == 200

        database.error = None
        async with asyncio.timeout(5):
            while (await get(port, "/health/ready"))[0] != 200:
                pass


async def test_without_an_optional_dependency_it_is_degraded_but_ready():
    redis = Dependency(ConnectionRefusedError())
    health = Health(required={"broker": Dependency().ping}, optional={"redis": redis.ping})
    async with admin_server(AdminSettings(), health) as port:
        status, body = await get(port, "/health/ready")
    assert (status, body["status"]) == (200, "degraded")
    assert body["dependencies"] == {"broker": "ok", "redis": "unreachable: ConnectionRefusedError"}


async def test_a_check_with_a_bug_is_a_word_and_not_a_500():
    broken = Dependency(ValueError("secret detail"))
    async with admin_server(AdminSettings(), Health(required={"broker": broken.ping})) as port:
        status, body = await get(port, "/health/ready")
    assert (status, body["dependencies"]) == (503, {"broker": "check failed: ValueError"})


async def test_a_dependency_that_hangs_delays_the_answer_by_the_limit_and_no_more():
    loop = asyncio.get_running_loop()
    async with admin_server(AdminSettings(), Health(required={"broker": hang}, timeout_s=0.2)) as port:
        began = loop.time()
        status, body = await get(port, "/health/ready")
        assert loop.time() - began < 2
    assert (status, body["dependencies"]) == (503, {"broker": "no answer within 0.2 s"})


async def test_many_who_ask_at_once_ask_the_dependency_once():
    database = Dependency()
    async with admin_server(AdminSettings(), Health(required={"postgres": database.ping})) as port:
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(get(port, "/health/ready"))
        assert database.asked < 20


async def test_metrics_hold_the_process_the_version_and_each_dependency():
    health = Health(
        required={"postgres": Dependency().ping},
        optional={"redis": Dependency(ConnectionRefusedError()).ping},
    )
    async with admin_server(AdminSettings(), health) as port:
        status, text = await get(port, "/metrics")
        _, open_metrics = await get(port, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert status == 200
    assert found["penstock_dependency_up", "postgres"] == 1
    assert found["penstock_dependency_up", "redis"] == 0
    assert found["process_resident_memory_bytes",] > 0
    assert any(name[0] == "penstock_build_info" for name in found)
    assert open_metrics.endswith("# EOF\n")


async def test_a_port_that_is_taken_is_named_with_its_remedy():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=rf"127\.0\.0\.1:{port} cannot be opened.*PENSTOCK_ADMIN__PORT"):
            async with admin_server(AdminSettings(port=port), Health()):
                pass


async def test_two_servers_in_one_process_do_not_disturb_each_other():
    async with admin_server(AdminSettings(), Health()) as one:
        assert (await get(one, "/health/live"))[0] == 200
    async with admin_server(AdminSettings(), Health()) as two:
        assert (await get(two, "/metrics"))[0] == 200


async def test_stopping_does_not_wait_for_a_connection_that_is_kept_open():
    loop = asyncio.get_running_loop()
    async with admin_server(AdminSettings(), Health()) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n")
        await writer.drain()
        began = loop.time()
    assert loop.time() - began < 4
    writer.close()
