"""Closed loop: each connection sends its next request when the last one is answered."""

import asyncio
import time
from collections.abc import Callable

from tests.benchmarks.load.connection import Connection, all_closed, connect
from tests.benchmarks.load.figures import Figures
from tests.benchmarks.load.target import Target

STRAGGLERS_LIMIT_S = 60.0


class _Repeating(Connection):
    def __init__(self, target: Target, more: Callable[[], bool], latencies_s: list[float]) -> None:
        super().__init__(target)
        self._more = more
        self._latencies_s = latencies_s
        self._sent_at = 0.0

    def start(self) -> None:
        self._sent_at = time.perf_counter()
        self.send()

    def answered(self) -> None:
        self._latencies_s.append(time.perf_counter() - self._sent_at)
        if self._more():
            self.start()
        else:
            self.leave()


async def measure(target: Target, *, connections: int, seconds: float) -> Figures:
    """Keep ``connections`` requests in flight for ``seconds``.

    Raises:
        AssertionError: An answer was not the expected one.
        ConnectionError: The server broke a connection.
    """
    ends_at = time.perf_counter() + seconds
    return await _run(target, connections, lambda: time.perf_counter() < ends_at, seconds)


async def complete(target: Target, *, connections: int, requests: int, limit_s: float) -> Figures:
    """Make ``requests`` requests, ``connections`` at a time, within ``limit_s``; raises as ``measure``."""
    left = requests - connections

    def more() -> bool:
        nonlocal left
        left -= 1
        return left >= 0

    return await _run(target, connections, more, limit_s)


async def _run(target: Target, connections: int, more: Callable[[], bool], seconds: float) -> Figures:
    latencies_s: list[float] = []
    opened = await connect(target, lambda: _Repeating(target, more, latencies_s), connections)
    began = time.perf_counter()
    for connection in opened:
        connection.start()
    async with asyncio.timeout(seconds + STRAGGLERS_LIMIT_S):
        await all_closed(opened)
    took_s = time.perf_counter() - began
    return Figures(connections, took_s, sorted(latency * 1000 for latency in latencies_s))
