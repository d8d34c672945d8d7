"""``penstock webhooks listen``: show deliveries as they come, and check their signatures."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import psutil
from aiohttp import web

from services.cli.errors import CommandError
from services.cli.fleet_api import FleetApi, RefusedError, path_of
from services.cli.listening.forwarding import Forwarder
from services.cli.listening.received import Received
from services.cli.listening.receiver import receiving
from shared.security.webhook_signatures import SignatureError, verify

ENDPOINTS = ("v1", "webhook_endpoints")
MARK = "penstock_listener"
"""Member of the metadata that tells a listener's endpoint from others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """What the user asked for."""

    events: Sequence[str]
    host: str
    port: int
    public_url: str | None
    forward_to: str | None
    as_json: bool


def run(api: FleetApi, wanted: Listening) -> None:
    """Listen until Ctrl-C or SIGTERM; the endpoint is there for as long.

    Raises:
        CommandError: The fleet does not take the endpoint, or the port cannot be listened on.
    """
    asyncio.run(_listen(api, wanted))


async def _listen(api: FleetApi, wanted: Listening) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with aiohttp.ClientSession() as http:
        forward = None if wanted.forward_to is None else Forwarder(wanted.forward_to, http)
        desk = _Desk(forward=forward, as_json=wanted.as_json)
        async with receiving(desk.take, host=wanted.host, port=wanted.port) as port:
            url = wanted.public_url or f"http://{_bracketed(wanted.host)}:{port}/"
            async with _endpoint(api, url, wanted.events) as endpoint:
                desk.secret.set_result(endpoint["secret"])
                if forward is not None:
                    _say(f"What is handed on is signed with {endpoint['secret']}, good while this runs.")
                _say(f"Listening for {', '.join(wanted.events)} at {url}; Ctrl-C ends it.")
                await stop.wait()
            _say("Removed the endpoint.")


@dataclass(kw_only=True)
class _Desk:
    """Takes deliveries; the first may come before the secret is known."""

    forward: Forwarder | None
    as_json: bool
    secret: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    async def take(self, request: web.Request) -> web.Response:
        """Check, hand on, show; only what is verified is accepted."""
        body, at = await request.read(), datetime.now(UTC)
        headers = {name.lower(): value for name, value in request.headers.items()}
        objection, status, forwarded = _objection(await self.secret, headers, body), 204, ""
        if objection:
            status = 401
        elif self.forward is not None:
            status, forwarded = await self.forward(request.headers, body)
        received = Received(at=at, headers=headers, body=body, objection=objection, forwarded=forwarded)
        print(received.record() if self.as_json else received.line(), flush=True)
        return web.Response(status=status)


def _objection(secret: str, headers: Mapping[str, str], body: bytes) -> str:
    try:
        verify(secret, headers, body, now=time.time())
    except SignatureError as error:
        return str(error)
    return ""


@asynccontextmanager
async def _endpoint(api: FleetApi, url: str, events: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
    """Have an endpoint while the block runs; what killed listeners of this machine left is removed."""
    await asyncio.to_thread(_remove_leftovers, api)
    mark = {"host": socket.gethostname(), "pid": os.getpid(), "since": int(psutil.Process().create_time())}
    wanted = {
        "url": url,
        "events": list(events),
        "description": "penstock webhooks listen",
        "metadata": {MARK: mark},
    }
    try:
        endpoint = await asyncio.to_thread(api.post, path_of(*ENDPOINTS), wanted)
    except RefusedError as error:
        if error.code != "url_not_allowed":
            raise
        raise CommandError(
            f"The fleet may not call {url}: name an address that it can reach with --public-url, or let its "
            "operator allow this one's network with PENSTOCK_EGRESS__ALLOWED_NETWORKS."
        ) from None
    try:
        yield endpoint
    finally:
        try:
            await asyncio.to_thread(api.delete, path_of(*ENDPOINTS, endpoint["id"]))
        except CommandError as error:
            raise CommandError(f"The endpoint {endpoint['id']} is still there: {error}") from None


def _remove_leftovers(api: FleetApi) -> None:
    for endpoint in api.get(path_of(*ENDPOINTS), limit=100)["data"]:
        mark = endpoint["metadata"].get(MARK)
        if isinstance(mark, dict) and mark.get("host") == socket.gethostname() and not _lives(mark):
            api.delete(path_of(*ENDPOINTS, endpoint["id"]))


def _lives(mark: Mapping[str, Any]) -> bool:
    try:
        return int(psutil.Process(int(mark["pid"])).create_time()) == int(mark["since"])
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _say(text: str) -> None:
    """Speak beside the deliveries, which may go into a file."""
    print(text, file=sys.stderr, flush=True)
