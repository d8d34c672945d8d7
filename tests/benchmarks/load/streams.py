"""Streams of numbered tokens, each checked: none lost, none doubled, none out of order."""

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import cast

from tests.benchmarks.load.target import Target

_NUMBER = re.compile(rb'"content":"\s?(\d+)"')
_FIRST_EVENT = b"data: "
_DONE = b"data: [DONE]"
_LAST_CHUNK = b"\r\n0\r\n\r\n"


@dataclass
class Stream:
    """What one stream delivered."""

    expected: int
    tokens: int = 0
    """So many numbers came in order, counted from 1."""
    sent_at: float = 0.0
    first_event_at: float = 0.0
    ended_at: float = 0.0
    gaps_s: list[float] = field(default_factory=list)
    """Times between one token and the next."""
    failure: str = ""

    @property
    def whole(self) -> bool:
        return not self.failure and self.tokens == self.expected


class _Reader(asyncio.Protocol):
    def __init__(self, target: Target, stream: Stream) -> None:
        self._request = target.request()
        self._expect = target.status_line
        self._stream = stream
        self._rest = b""
        self._last_at = 0.0
        self._done = False
        self._transport: asyncio.Transport
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._stream.sent_at = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if self._rest:
            data = self._rest + data
        if not self._stream.first_event_at:
            if not data.startswith(self._expect):
                self._end(now, data[:400].decode(errors="replace"))
                return
            if _FIRST_EVENT in data:
                self._stream.first_event_at = now
        end = data.rfind(b"\n\n") + 2
        if end > 1:
            self._take(data[:end], now)
            data = data[end:]
        self._rest = data
        if data.endswith(_LAST_CHUNK):
            self._end(now, "" if self._done else "ended without [DONE]")

    def _take(self, events: bytes, now: float) -> None:
        stream = self._stream
        for number in _NUMBER.findall(events):
            if int(number) != stream.tokens + 1:
                self._end(now, f"after token {stream.tokens} came {int(number)}")
                return
            stream.tokens += 1
            if self._last_at:
                stream.gaps_s.append(now - self._last_at)
            self._last_at = now
        self._done = self._done or _DONE in events

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(time.perf_counter(), repr(exc) if exc else "closed before [DONE]")
        if not self.closed.done():
            self.closed.set_result(None)

    def give_up(self, why: str) -> None:
        self._end(time.perf_counter(), why)
        self._transport.abort()

    def _end(self, now: float, failure: str) -> None:
        if not self._stream.ended_at:
            self._stream.ended_at = now
            self._stream.failure = failure
            self._transport.close()


async def read_stream(target: Target, *, tokens: int, limit_s: float) -> Stream:
    """Open one stream and read it to its end; what goes wrong is in its ``failure``."""
    stream = Stream(tokens)
    loop = asyncio.get_running_loop()
    reader = _Reader(target, stream)
    await loop.create_connection(lambda: reader, target.host, target.port)
    try:
        async with asyncio.timeout(limit_s):
            await reader.closed
    except TimeoutError:
        reader.give_up(f"not ended after {limit_s:g} s, {stream.tokens} tokens came")
    return stream


async def read_streams(target: Target, *, count: int, tokens: int, limit_s: float) -> list[Stream]:
    """Open ``count`` streams at once and read them all."""
    return await asyncio.gather(*(read_stream(target, tokens=tokens, limit_s=limit_s) for _ in range(count)))
