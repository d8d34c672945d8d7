"""A server of a caller: takes webhooks, keeps what came, and answers as it was told."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from tests.support.store import LIMIT_S

Answer = Callable[["Receiver", web.Request], Any]


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Receiver:
    """What came in; ``answers`` are used up one by one, then all is well."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: list[web.StreamResponse] = field(default_factory=list)
    default_status: int = 204
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """Not set: every request waits before it is answered."""
    _answered: int = 0
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    def hang(self) -> None:
        self.released.clear()

    async def until(self, count: int, *, limit_s: float = LIMIT_S) -> list[Received]:
        """Wait until so many requests came."""
        async with asyncio.timeout(limit_s), self._came:
            await self._came.wait_for(lambda: len(self.received) >= count)
        return self.received

    async def answered(self, count: int) -> None:
        """Wait until so many answers were written."""
        async with asyncio.timeout(LIMIT_S), self._came:
            await self._came.wait_for(lambda: self._answered >= count)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(request.path_qs, headers, body))
        async with self._came:
            self._came.notify_all()
        await self.released.wait()
        answer = self.answers.pop(0) if self.answers else web.Response(status=self.default_status)
        await answer.prepare(request)
        await answer.write_eof()
        async with self._came:
            self._answered += 1
            self._came.notify_all()
        return answer


@asynccontextmanager
async def receiving(host: str = "127.0.0.1", **options: Any) -> AsyncGenerator[Receiver, None]:
    """Serve on a free port of the loopback interface."""
    receiver = Receiver()
    receiver.released.set()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, 0, **options)
        await site.start()
        scheme = "https" if "ssl_context" in options else "http"
        receiver.url = f"{scheme}://{host}:{runner.addresses[0][1]}"
        yield receiver
    finally:
        receiver.released.set()
        await runner.cleanup()
