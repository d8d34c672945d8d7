"""CPU of calling the provider with aiohttp, 64 calls at a time."""

import asyncio
import time

import aiohttp

from tests.benchmarks.processes import Processes, per_request_us
from tests.benchmarks.requests import CHAT_BODY, HOST

AT_A_TIME = 64


async def calling(port: int, processes: Processes, *, seconds: float) -> dict[str, float]:
    """Return the CPU microseconds of each of the processes for one call made by this one."""
    url = f"http://{HOST}:{port}/v1/chat/completions"
    calls = 0

    async def repeat(session: aiohttp.ClientSession, ends_at: float) -> None:
        nonlocal calls
        while time.perf_counter() < ends_at:
            async with session.post(
                url, data=CHAT_BODY, headers={"Content-Type": "application/json"}
            ) as answer:
                assert answer.status == 200
                await answer.read()
            calls += 1

    connector = aiohttp.TCPConnector(limit=AT_A_TIME)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(repeat(session, time.perf_counter() + 1) for _ in range(AT_A_TIME)))
        calls, before = 0, processes.cpu_s()
        await asyncio.gather(*(repeat(session, time.perf_counter() + seconds) for _ in range(AT_A_TIME)))
        return per_request_us(before, processes.cpu_s(), calls)
