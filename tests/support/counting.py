"""A plain TCP server that counts its connections: what proves that nobody connected."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

OK = b"HTTP/1.1 204 No Content\r\n\r\n"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Read one request with a ``Content-Length``."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    return head + await reader.readexactly(length)


def answering(*answers: bytes) -> Talk:
    """Answer the requests of a connection one after the other, the last answer again and again."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = list(answers)
        while True:
            await read_request(reader)
            writer.write(left.pop(0) if len(left) > 1 else left[0])

    return talk


@dataclass
class CountingServer:
    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def counting(
    host: str | None = "127.0.0.1", port: int = 0, talk: Talk | None = None, **options: Any
) -> AsyncGenerator[CountingServer, None]:
    """Listen; ``talk`` speaks on each connection, by default every request is answered with 204."""
    counted = CountingServer()
    talk = talk or answering(OK)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counted.connections += 1
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, port, **options)
    counted.port = server.sockets[0].getsockname()[1]
    try:
        yield counted
    finally:
        server.close()
