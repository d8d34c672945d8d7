"""A server that answers every request with bytes written beforehand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.benchmarks.load import Target

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def token(number: int) -> bytes:
    return chunk(b'data: {"choices":[{"delta":{"content":" %d"}}]}\n\n' % number)


DONE = chunk(b"data: [DONE]\n\n")


@asynccontextmanager
async def answering(*pieces: bytes, close: bool = False) -> AsyncIterator[Target]:
    """Serve; the pieces of an answer are written one by one."""

    serving: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        while True:
            try:
                await reader.readuntil(b"\r\n\r\n{}")
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            if close:
                break
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield Target("127.0.0.1", server.sockets[0].getsockname()[1], "/", b"{}")
    await asyncio.gather(*(task for task in serving if task is not None))
