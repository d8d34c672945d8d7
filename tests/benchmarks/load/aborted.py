"""Streams that their reader breaks off after the first event."""

import asyncio
from typing import cast

from tests.benchmarks.load.target import Target


class _Aborting(asyncio.Protocol):
    def __init__(self, target: Target) -> None:
        self._request = target.request()
        self._expect = target.status_line
        self._seen = b""
        self._transport: asyncio.Transport
        self.closed: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if b"data: " in self._seen:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(self._seen)


async def abort_streams(target: Target, *, count: int, at_a_time: int, limit_s: float) -> None:
    """Open ``count`` streams, ``at_a_time`` side by side, and break each off after its first event.

    Raises:
        AssertionError: A stream did not begin.
    """
    left = iter(range(count))
    loop = asyncio.get_running_loop()

    async def one_after_the_other() -> None:
        for _ in left:
            _, aborting = await loop.create_connection(lambda: _Aborting(target), target.host, target.port)
            seen = await aborting.closed
            assert seen.startswith(target.status_line), seen[:400]

    async with asyncio.timeout(limit_s), asyncio.TaskGroup() as group:
        for _ in range(at_a_time):
            group.create_task(one_after_the_other())
