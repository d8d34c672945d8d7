"""CPU of a message through RabbitMQ, published and consumed by one process, 64 in flight."""

import asyncio
import time

import aiormq
from aiormq.abc import AbstractChannel, DeliveredMessage

from tests.benchmarks.processes import Processes, per_request_us
from tests.benchmarks.requests import CHAT_BODY

IN_FLIGHT = 64
JOB = "a quorum queue, confirmed and acknowledged"
REPLY = "an exclusive queue, neither confirmed nor acknowledged"


async def message_through(url: str, kind: str, processes: Processes, *, seconds: float) -> dict[str, float]:
    """Return the CPU microseconds of each of the processes for one message.

    Args:
        url: Of the broker.
        kind: ``JOB`` or ``REPLY``.
        processes: Whose CPU to count.
        seconds: How long messages go round.
    """
    durable = kind == JOB
    publishing, consuming = await aiormq.connect(url), await aiormq.connect(url)
    sender = await publishing.channel(publisher_confirms=durable)
    receiver = await consuming.channel(publisher_confirms=False)
    queue = await _queue(receiver, durable=durable)
    taken = asyncio.Semaphore(0)

    async def take(message: DeliveredMessage) -> None:
        if durable:
            await receiver.basic_ack(message.delivery_tag, wait=False)
        taken.release()

    await receiver.basic_qos(prefetch_count=2 * IN_FLIGHT)
    await receiver.basic_consume(queue, take, no_ack=not durable)

    async def repeat(ends_at: float) -> int:
        count = 0
        while time.perf_counter() < ends_at:
            await sender.basic_publish(CHAT_BODY, routing_key=queue, wait=False)
            await taken.acquire()
            count += 1
        return count

    await asyncio.gather(*(repeat(time.perf_counter() + 1) for _ in range(IN_FLIGHT)))
    before = processes.cpu_s()
    counts = await asyncio.gather(*(repeat(time.perf_counter() + seconds) for _ in range(IN_FLIGHT)))
    used = per_request_us(before, processes.cpu_s(), sum(counts))
    await publishing.close()
    await consuming.close()
    return used


async def _queue(channel: AbstractChannel, *, durable: bool) -> str:
    if durable:
        declared = await channel.queue_declare(
            "floor", durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 20}
        )
    else:
        declared = await channel.queue_declare(exclusive=True)
    assert declared.queue is not None
    return declared.queue
