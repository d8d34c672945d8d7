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
        self._arrived = asyncio.Event()
        self._closing = asyncio.Event()

    def add(self, chunk: bytes) -> None:
        """Take a chunk, one line of JSON."""
        self._chunks.append(chunk)
        self._arrived.set()

    def close(self) -> None:
        """Say that nothing follows: the rest goes out without waiting."""
        self._closing.set()
        self._arrived.set()

    async def run(self) -> None:
        """Send until :meth:`close`; then return once everything is sent."""
        loop = asyncio.get_running_loop()
        next_at = loop.time()
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._chunks:
                if loop.time() < next_at:  # a slow stream never waits here
                    await self._pause(next_at)
                await self._send(self._message())
                next_at = loop.time() + self._interval_s
            if self._closing.is_set():
                return

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
