"""One caller each: an event stream that is read, or long-polls one after the other, until the job ends."""

import asyncio
import random
import re
from typing import cast

_END = re.compile(rb"event: job\.(completed|failed|cancelled|expired|incomplete)\n")
_OPEN = re.compile(rb'"status":"(queued|in_progress)"')
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
POLL_S = 60
AGAIN_S = 1.0
"""What ``Retry-After`` of a 503 says."""


def _what(answer: bytes) -> str:
    """Name an answer that is none, alike for those that are alike."""
    code = re.search(rb'"code":"([^"]*)"', answer)
    return (answer[9:12] + b" " + (code[1] if code else b"")).decode(errors="replace")


class Waiter(asyncio.Protocol):
    """Asks once connected; ``settled`` says how the job ended, or what went wrong.

    Args:
        path: Of the job.
        headers: With the key.
    """

    suffix = ""

    def __init__(self, path: str, headers: str) -> None:
        self._request = f"GET {path}{self.suffix} HTTP/1.1\r\n{headers}\r\n".encode()
        self._transport: asyncio.Transport
        self._buffer = b""
        loop = asyncio.get_running_loop()
        self.answered: asyncio.Future[None] = loop.create_future()
        """The server has taken the request and the caller waits."""
        self.settled: asyncio.Future[str] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        self.settle(f"closed: {exc!r}")

    def settle(self, how: str) -> None:
        """Note the end; the first word counts."""
        if not self.answered.done():
            self.answered.set_result(None)
        if not self.settled.done():
            self.settled.set_result(how)
            self._transport.close()


class Follower(Waiter):
    """Reads ``/events``."""

    suffix = "/events"

    def __init__(self, path: str, headers: str) -> None:
        super().__init__(path, headers)
        self.comments = 0

    def data_received(self, data: bytes) -> None:
        if not self.answered.done():
            self._buffer += data
            if b"event: job.queued" not in self._buffer:
                if not b"HTTP/1.1 200".startswith(self._buffer[:12]):
                    self.settle(_what(self._buffer))
                return
            data, self._buffer = self._buffer, b""
            self.answered.set_result(None)
        self.comments += data.count(b": keep-alive")
        if end := _END.search(data):  # the event comes in one piece: the server wrote it in one
            self.settle(end[1].decode())


class Poller(Waiter):
    """Looks once, then asks ``?wait=`` again and again; a shorter first wait keeps them out of step."""

    def __init__(self, path: str, headers: str) -> None:
        super().__init__(path, headers)
        self._path, self._headers = path, headers
        self.turned_away = 0

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data
        head = data.find(b"\r\n\r\n")
        length = _LENGTH.search(data, 0, head + 2) if head >= 0 else None
        if length is None or len(data) < head + 4 + int(length[1]):
            self._buffer = data
            return
        self._buffer = b""
        if data.startswith(b"HTTP/1.1 503"):
            self.turned_away += 1
            asyncio.get_running_loop().call_later(AGAIN_S, self._transport.write, self._request)
        elif not data.startswith(b"HTTP/1.1 200"):
            self.settle(_what(data))
        elif _OPEN.search(data):
            self._poll()
        else:
            self.settle(data.split(b'"status":"', 1)[1].split(b'"', 1)[0].decode())

    def _poll(self) -> None:
        first = not self.answered.done()
        wait_s = random.uniform(1, POLL_S) if first else POLL_S  # noqa: S311 - no secret
        self._request = f"GET {self._path}?wait={wait_s:.3f} HTTP/1.1\r\n{self._headers}\r\n".encode()
        self._transport.write(self._request)
        if first:
            self.answered.set_result(None)


KINDS: dict[str, type[Waiter]] = {"sse": Follower, "poll": Poller}
