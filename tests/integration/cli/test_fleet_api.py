"""What a command says when the fleet that it asks is away, or is none."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.cli.errors import EXIT_FAILED, EXIT_KEY, EXIT_NO_FLEET, CommandError
from services.cli.fleet_api import FleetApi, RefusedError, path_of

KEY = "sk-penstock-secret"
ERRORS = {
    404: {"error": {"message": "No such thing.", "type": "x", "param": None, "code": "not_found"}},
    403: {"success": False, "data": None, "message": "For operators.", "error": "operator_required"},
}


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
    application.router.add_get("/error", refuse)
    application.router.add_delete("/nothing", nothing)
    async with TestServer(application) as server:
        yield str(server.make_url("")).rstrip("/")


async def refuse(request: web.Request) -> web.Response:
    status = int(request.query["status"])
    return web.json_response(ERRORS[status], status=status)


async def nothing(_: web.Request) -> web.Response:
    return web.Response(status=204)


async def test_a_request_carries_the_key_and_what_is_not_none(url: str):
    def ask() -> None:
        api = FleetApi(url, KEY)
        sent = api.post("/echo", {"a": 1})
        assert (sent["method"], sent["key"], json.loads(sent["body"])) == ("POST", f"Bearer {KEY}", {"a": 1})
        assert api.get("/echo", limit=2, after=None)["query"] == {"limit": "2"}
        assert api.delete("/nothing") is None

    await asyncio.to_thread(ask)


@pytest.mark.parametrize(
    ("status", "said", "code", "exit_code"),
    [
        (404, r"No such thing\. \(404 not_found\)", "not_found", EXIT_FAILED),
        (403, r"For operators\. \(403 operator_required\)", "operator_required", EXIT_KEY),
    ],
)
async def test_an_error_of_either_shape_is_told_in_the_fleets_words(
    url: str, status: int, said: str, code: str, exit_code: int
):
    with pytest.raises(RefusedError, match=said) as refused:
        await asyncio.to_thread(FleetApi(url, KEY).get, "/error", status=status)
    assert (refused.value.code, refused.value.exit_code) == (code, exit_code)


@pytest.mark.parametrize(
    ("path", "said"), [("/html?status=502", "502"), ("/html?status=200", "as a fleet"), ("/moved", "302")]
)
async def test_what_is_no_fleet_is_no_traceback_and_nobody_else_gets_the_key(url: str, path: str, said: str):
    with pytest.raises(CommandError, match=said):
        await asyncio.to_thread(FleetApi(url, KEY).get, path)


@pytest.mark.parametrize("root", ["http://127.0.0.1:9", "http://[nonsense", "http://a b"])
def test_a_fleet_that_is_away_is_one_message_without_the_key(root: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with pytest.raises(CommandError, match="cannot be reached") as failed:
        FleetApi(root, KEY).get("/echo")
    assert failed.value.exit_code == EXIT_NO_FLEET
    assert KEY not in str(failed.value)


def test_a_part_of_a_path_stays_one():
    assert path_of("v1", "../a b?c") == "/v1/..%2Fa%20b%3Fc"
