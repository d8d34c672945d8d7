"""Gathers the chunks of a stream into few messages without making the first one wait."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

_LARGEST_MESSAGE = 64 * 1024


class Coalescer:
    """Sends at once what came after a pause, and then at most one message an interval.

    Args:
        send: Gets one JSON chunk a line; messages are sent one after the other.
        interval_s: Shortest time between two messages.
    """

    def __init__(self, send: Callable[[bytes], Awaitable[None]], *, interval_s: float) -> None:
        self._send = send
        self._interval_s = interval_s
        self._chunks: deque[bytes] = deque()
        self._closing = asyncio.Event()
        self._waiter: asyncio.Future[None] | None = None

    def add(self, chunk: bytes) -> None:
        """Take a chunk, one line of JSON."""
        self._chunks.append(chunk)
        self._wake()

    def close(self) -> None:
        """Say that nothing follows: the rest goes out without waiting."""
        self._closing.set()
        self._wake()

    async def run(self) -> None:
        """Send until :meth:`close`; then return once everything is sent."""
        loop = asyncio.get_running_loop()
        next_at = loop.time()
        while self._chunks or not self._closing.is_set():
            if not self._chunks:
                self._waiter = loop.create_future()
                await self._waiter
            elif loop.time() < next_at and not self._closing.is_set():
                await self._pause(next_at)
            else:
                await self._send(self._message())
                next_at = loop.time() + self._interval_s

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _pause(self, until: float) -> None:
        try:
            async with asyncio.timeout_at(until):
                await self._closing.wait()
        except TimeoutError:
            return

    def _message(self) -> bytes:
        lines = [self._chunks.popleft()]
        size = len(lines[0])
        while self._chunks and size + len(self._chunks[0]) < _LARGEST_MESSAGE:
            lines.append(self._chunks.popleft())
            size += len(lines[-1]) + 1
        return b"\n".join(lines)
