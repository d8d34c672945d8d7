"""A consumer that dies loses nothing, and its attempts are counted."""

import asyncio
import sys

from shared.messaging.broker import Message, Settlement
from tests.contract.broker.collector import DEADLINE_S, Arrivals, eventually


async def crash_with_one(url: str, queue: str) -> tuple[int, bool]:
    """Let a process take a delivery and kill it; tell what it saw of the delivery."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.contract.broker.consumer_process",
        url,
        queue,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                line = await process.stdout.readline()
                assert line, "the consumer ended by itself"
                if line[:1].isdigit() and len(line.split()) == 2:
                    attempt, redelivered = line.split()
                    return int(attempt), redelivered == b"1"
    finally:
        process.kill()
        await process.communicate()


async def test_what_a_killed_consumer_held_comes_again_with_every_crash_counted(broker, broker_url, queue):
    await broker.publish(queue.name, Message(type="test.v1", body=b"dangerous"))
    seen = [await crash_with_one(broker_url, queue.name) for _ in range(3)]
    assert seen == [(1, False), (2, True), (3, True)]
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=5, on_delivery=arrivals)
    delivery = await arrivals.next()
    assert (delivery.attempt, delivery.redelivered) == (4, True)
    assert delivery.message.body == b"dangerous"
    await delivery.settle(Settlement.ACK)
    await eventually(lambda: broker.stats(queue.name), lambda stats: stats.ready == 0)
    assert arrivals.waiting == 0
