"""An HTTP server that answers what a test writes down."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

Script = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class ScriptedServer:
    """Keeps what it was asked."""

    url: str = ""
    script: Script | None = None
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.read())
        self.headers.append(dict(request.headers))
        self.paths.append(request.path)
        self.connections.add(request.transport.get_extra_info("peername"))
        return await self.script(request)

    def answer(self, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Answer everything the same."""

        async def script(_: web.Request) -> web.Response:
            return web.Response(status=status, body=body, headers=headers, content_type="application/json")

        self.script = script

    def stream(self, *pieces: bytes, pause_s: float = 0.0, abort: bool = False) -> None:
        """Answer with a stream in these pieces; ``abort`` breaks the connection after them."""

        async def script(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            for piece in pieces:
                await response.write(piece)
                await asyncio.sleep(pause_s)
            if abort:
                request.transport.abort()
            else:
                await response.write_eof()
            return response

        self.script = script


@asynccontextmanager
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    """Listen on a free port of this machine."""
    server = ScriptedServer()
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()
