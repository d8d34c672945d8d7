"""A receiver of webhooks that costs as little as one can: it notes when each came, and says 204."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

HANGING_PATH = b"/hanging"
_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")
_SENT_AT = re.compile(rb'"sent_at":([0-9.e+-]+)')


@dataclass
class Receiver:
    """What came in; a request to :data:`HANGING_PATH` is never answered."""

    port: int = 0
    latencies_s: list[float] = field(default_factory=list)
    """From ``data.sent_at`` (``time.monotonic``) of the event to its arrival."""
    hanging: int = 0
    silent: list[asyncio.WriteTransport] = field(default_factory=list)
    _wanted: int = 0
    _reached: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def until(self, count: int, *, limit_s: float) -> None:
        """Wait until so many were answered."""
        self._wanted = count
        self._reached.clear()
        self._look()
        async with asyncio.timeout(limit_s):
            await self._reached.wait()

    def hang_up(self) -> None:
        """Close what was left without an answer."""
        while self.silent:
            self.silent.pop().close()

    def came(self, latency_s: float) -> None:
        self.latencies_s.append(latency_s)
        self._look()

    def _look(self) -> None:
        if len(self.latencies_s) >= self._wanted:
            self._reached.set()


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._buffer = b""
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = _LENGTH.search(head)
        if length is None or len(body) < int(length[1]):
            return
        self._buffer = b""
        if head.startswith(b"POST " + HANGING_PATH):
            self._receiver.hanging += 1
            self._receiver.silent.append(self._transport)
            return
        sent_at = _SENT_AT.search(body)
        if sent_at is not None:
            self._receiver.came(time.monotonic() - float(sent_at[1]))
        self._transport.write(_ANSWER)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Listen on a free port of the loopback interface."""
    receiver = Receiver()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(receiver), "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
