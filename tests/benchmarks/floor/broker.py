"""CPU of a message through our own broker port, sent and received by one process, 64 in flight."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from pydantic import SecretStr

from shared.config.settings import BrokerSettings
from shared.messaging.broker import Broker, Delivery, Message, Settlement
from shared.messaging.factory import make_broker
from shared.messaging.topology import Queue, Topology
from tests.benchmarks.processes import Processes, per_request_us
from tests.benchmarks.requests import CHAT_BODY

IN_FLIGHT = 64
MESSAGE = Message(type="floor.v1", body=CHAT_BODY)
TOPOLOGY = Topology(
    (Queue(name="floor.v1", bindings=("floor",), producers=("floor",), consumers=("floor",)),)
)

Pass = Callable[[], Awaitable[None]]


class Passing:
    """Sends messages and takes them again.

    Args:
        url: Of the broker.
        processes: Whose CPU to count.
        seconds: How long messages go round.
    """

    def __init__(self, url: str, processes: Processes, *, seconds: float) -> None:
        self._settings = BrokerSettings(url=SecretStr(url))
        self._processes = processes
        self._seconds = seconds

    async def queued(self) -> dict[str, float]:
        """Return the CPU microseconds of each of the processes for one durable message.

        Published with a confirm, consumed and acknowledged.
        """
        broker = await self._connected()
        arrived: asyncio.Queue[Delivery] = asyncio.Queue()
        await broker.subscribe("floor.v1", prefetch=2 * IN_FLIGHT, on_delivery=arrived.put_nowait)

        async def once() -> None:
            await broker.publish("floor", MESSAGE)
            await (await arrived.get()).settle(Settlement.ACK)

        return await self._measured(broker, once)

    async def replied(self) -> dict[str, float]:
        """Return the same for one transient message to an inbox."""
        broker = await self._connected()
        arrived: asyncio.Queue[Message] = asyncio.Queue()
        inbox = await broker.open_inbox(arrived.put_nowait, lambda: None)

        async def once() -> None:
            await broker.reply(inbox.address, MESSAGE)
            await arrived.get()

        return await self._measured(broker, once)

    async def _connected(self) -> Broker:
        broker = make_broker(self._settings, name="floor", topology=TOPOLOGY)
        await broker.connect()
        return broker

    async def _measured(self, broker: Broker, once: Pass) -> dict[str, float]:
        await _repeat(once, seconds=1)
        before = self._processes.cpu_s()
        count = await _repeat(once, seconds=self._seconds)
        used = per_request_us(before, self._processes.cpu_s(), count)
        await broker.close()
        return used


async def _repeat(once: Pass, *, seconds: float) -> int:
    ends_at = time.perf_counter() + seconds

    async def chain() -> int:
        count = 0
        while time.perf_counter() < ends_at:
            await once()
            count += 1
        return count

    return sum(await asyncio.gather(*(chain() for _ in range(IN_FLIGHT))))
