"""One keep-alive connection that carries one request at a time."""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

from tests.benchmarks.load.target import Target

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_LAST_CHUNK = b"\r\n0\r\n\r\n"


def is_whole(answer: bytes) -> bool:
    """Whether an answer has arrived, its length announced or in chunks."""
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return False
    length = _LENGTH.search(answer, 0, head + 2)
    if length is None:
        return answer.endswith(_LAST_CHUNK)
    return len(answer) >= head + 4 + int(length[1])


class Connection(asyncio.Protocol, ABC):
    """Sends the target's request when told and says when the answer is there.

    ``closed`` ends when the connection does: with an error if an answer was not the expected one, or if
    the connection broke before :meth:`leave`.
    """

    def __init__(self, target: Target) -> None:
        self._request = target.request()
        self._expect = target.status_line
        self._buffer = b""
        self._leaving = False
        self._error: Exception | None = None
        self._transport: asyncio.Transport
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @abstractmethod
    def answered(self) -> None:
        """Take note of an answer; send the next request, or leave."""

    def send(self) -> None:
        self._transport.write(self._request)

    def leave(self) -> None:
        self._leaving = True
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        if not is_whole(data):
            self._buffer = data
            return
        self._buffer = b""
        if data.startswith(self._expect):
            self.answered()
        else:
            self._fail(AssertionError(data[:800].decode(errors="replace")))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.closed.done():  # given up: nobody waits any more
            return
        error = self._error or exc
        if error is None and not self._leaving:
            error = ConnectionError("the server closed the connection")
        if error is None:
            self.closed.set_result(None)
        else:
            self.closed.set_exception(error)

    def _fail(self, error: Exception) -> None:
        self._error = error
        self._transport.close()


C = TypeVar("C", bound=Connection)


async def connect(target: Target, make: Callable[[], C], count: int) -> list[C]:
    """Open ``count`` connections, one after the other."""
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(make, target.host, target.port))[1] for _ in range(count)]


async def all_closed(connections: Sequence[Connection]) -> None:
    """Wait until each has left; the first that fails ends them all."""
    try:
        await asyncio.gather(*(connection.closed for connection in connections))
    finally:
        for connection in connections:
            connection.leave()
        await asyncio.gather(*(connection.closed for connection in connections), return_exceptions=True)
