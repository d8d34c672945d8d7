"""What a test consumes, and how it waits for it: for the thing itself, with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

DEADLINE_S = 20.0
V = TypeVar("V")


class Arrivals:
    """Keeps what a broker hands out until the test asks for it."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue = asyncio.Queue()

    def __call__(self, arrived) -> None:
        self._queue.put_nowait(arrived)

    async def next(self, deadline_s: float = DEADLINE_S):
        async with asyncio.timeout(deadline_s):
            return await self._queue.get()

    async def take(self, count: int) -> list:
        return [await self.next() for _ in range(count)]

    @property
    def waiting(self) -> int:
        return self._queue.qsize()


async def eventually(look: Callable[[], Awaitable[V]], holds: Callable[[V], bool]) -> V:
    """Look again and again until what is seen holds."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            seen = await look()
            if holds(seen):
                return seen
            await asyncio.sleep(0.02)


async def until(moment: datetime) -> None:
    """Wait for a moment to pass on the clock that the brokers go by."""
    await asyncio.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds() + 0.01))
