"""What a command says when the fleet that it asks is away, or is none."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.cli.admin_api import AdminApi
from services.cli.errors import CommandError
from services.cli.fleet_api import FleetAddress, FleetApi, RefusedError
from tests.support.fleet import free_port

KEY = "sk-penstock-secret"
ERROR = {"error": {"message": "No such thing.", "type": "x", "param": None, "code": "not_found"}}


@pytest.fixture
async def url() -> AsyncGenerator[str]:
    async def echo(request: web.Request) -> web.Response:
        given = {
            "method": request.method,
            "query": dict(request.query),
            "key": request.headers["Authorization"],
        }
        return web.json_response({**given, "body": await request.text()})

    async def html(request: web.Request) -> web.Response:
        return web.Response(text="<html>", status=int(request.query["status"]))

    async def moved(_: web.Request) -> web.Response:
        raise web.HTTPFound("/echo")

    application = web.Application()
    application.router.add_route("*", "/echo", echo)
    application.router.add_get("/html", html)
    application.router.add_get("/moved", moved)
    application.router.add_get("/api/v1/admin/moved", moved)
    application.router.add_get("/api/v1/admin/here", managed)
    application.router.add_get("/error", refuse)
    application.router.add_delete("/nothing", nothing)
    async with TestServer(application) as server:
        yield str(server.make_url("")).rstrip("/")


async def refuse(_: web.Request) -> web.Response:
    return web.json_response(ERROR, status=404)


async def managed(_: web.Request) -> web.Response:
    return web.json_response({"data": 1, "message": "Here."})


async def nothing(_: web.Request) -> web.Response:
    return web.Response(status=204)


async def test_a_request_carries_the_key_and_what_is_not_none(url: str):
    async with FleetApi(FleetAddress(url, KEY)) as api:
        answer = await api.request("POST", "/echo", {"a": 1}, {"limit": "2", "after": None})
        assert answer == {
            "method": "POST",
            "query": {"limit": "2"},
            "key": f"Bearer {KEY}",
            "body": '{"a": 1}',
        }
        assert await api.request("DELETE", "/nothing") is None


async def test_an_error_is_told_in_the_fleets_words(url: str):
    async with FleetApi(FleetAddress(url, KEY)) as api:
        with pytest.raises(RefusedError, match=r"No such thing. \(404 not_found\)") as refused:
            await api.request("GET", "/error")
        assert refused.value.code == "not_found"
        for path, said in (
            ("/html?status=502", "502"),
            ("/html?status=200", "as a fleet"),
            ("/moved", "302"),
        ):
            with pytest.raises(CommandError, match=said):
                await api.request("GET", path)


async def test_an_operators_key_goes_to_the_fleet_only(url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    api = AdminApi(url, KEY)
    assert (await asyncio.to_thread(api.get, "/here")).message == "Here."
    with pytest.raises(CommandError, match="status 302"):
        await asyncio.to_thread(api.get, "/moved")


async def test_a_fleet_that_is_away_is_one_message_without_the_key():
    address = FleetAddress(f"http://127.0.0.1:{free_port()}", KEY)
    async with FleetApi(address) as api:
        with pytest.raises(CommandError, match="cannot be reached") as failed:
            await api.request("GET", "/echo")
    assert KEY not in str(failed.value)
    async with FleetApi(FleetAddress("nonsense", KEY)) as api:
        with pytest.raises(CommandError, match="cannot be reached"):
            await api.request("GET", "/echo")
