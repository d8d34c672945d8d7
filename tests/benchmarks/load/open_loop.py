"""Open loop: requests are due at a steady pace, whether or not the earlier ones are answered."""

import asyncio
import time
from collections import deque

from tests.benchmarks.load.connection import Connection, all_closed, connect
from tests.benchmarks.load.figures import Figures
from tests.benchmarks.load.target import Target

TICK_S = 0.002
STRAGGLERS_LIMIT_S = 60.0


class _Pool:
    """Connections, of which the idle ones take what is due; what finds none waits, and its clock runs."""

    def __init__(self) -> None:
        self.idle: list[_Pooled] = []
        self.due: deque[float] = deque()
        self.latencies_s: list[float] = []

    def send_due(self) -> None:
        while self.due and self.idle:
            self.idle.pop().take(self.due.popleft())


class _Pooled(Connection):
    def __init__(self, target: Target, pool: _Pool) -> None:
        super().__init__(target)
        self._pool = pool
        self._due_at = 0.0

    def take(self, due_at: float) -> None:
        self._due_at = due_at
        self.send()

    def answered(self) -> None:
        self._pool.latencies_s.append(time.perf_counter() - self._due_at)
        self._pool.idle.append(self)
        self._pool.send_due()


async def offer(target: Target, *, per_second: float, seconds: float, connections: int) -> Figures:
    """Offer requests at a steady pace; a latency counts from when its request was due.

    Args:
        target: What is sent.
        per_second: The pace.
        seconds: For how long; then the rest is awaited.
        connections: Most requests in flight; more wait here, with their clocks running.

    Raises:
        AssertionError: An answer was not the expected one.
        ConnectionError: The server broke a connection.
    """
    pool = _Pool()
    opened = await connect(target, lambda: _Pooled(target, pool), connections)
    pool.idle.extend(opened)
    total = round(per_second * seconds)
    began = time.perf_counter()
    issued = 0
    async with asyncio.timeout(seconds + STRAGGLERS_LIMIT_S):
        while len(pool.latencies_s) < total and not any(one.closed.done() for one in opened):
            now = time.perf_counter()
            while issued < total and began + issued / per_second <= now:
                pool.due.append(began + issued / per_second)
                issued += 1
            pool.send_due()
            await asyncio.sleep(TICK_S)
        took_s = time.perf_counter() - began
        for connection in opened:
            connection.leave()
        await all_closed(opened)
    return Figures(connections, took_s, sorted(latency * 1000 for latency in pool.latencies_s))
