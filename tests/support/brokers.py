"""The PGMQ broker for tests of what uses a broker, and a collector of what arrives."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pydantic import SecretStr

from shared.config.settings import BrokerSettings
from shared.messaging.broker import Broker, Delivery, Message, Settlement
from shared.messaging.factory import make_broker


@asynccontextmanager
async def pgmq_broker(url: str) -> AsyncIterator[Broker]:
    broker = make_broker(BrokerSettings(url=SecretStr(url)), name="test")
    await broker.connect()
    try:
        yield broker
    finally:
        await broker.close()


class Collector:
    """Takes and acknowledges what a queue delivers, or keeps what is broadcast."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._arrived = asyncio.Event()

    def hear(self, message: Message) -> None:
        self.messages.append(message)
        self._arrived.set()

    @asynccontextmanager
    async def taking(self, broker: Broker, queue: str) -> AsyncIterator["Collector"]:
        async with asyncio.TaskGroup() as group:

            def take(delivery: Delivery) -> None:
                self.hear(delivery.message)
                group.create_task(delivery.settle(Settlement.ACK))

            subscription = await broker.subscribe(queue, prefetch=1000, on_delivery=take)
            try:
                yield self
            finally:
                await subscription.stop()

    async def until(self, enough: Callable[[list[Message]], bool], *, limit_s: float = 10.0) -> None:
        async with asyncio.timeout(limit_s):
            while not enough(self.messages):
                self._arrived.clear()
                await self._arrived.wait()
