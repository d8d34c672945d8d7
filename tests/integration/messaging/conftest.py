"""Brokers on a database of their own."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from pydantic import SecretStr

from shared.config.settings import BrokerSettings
from shared.messaging.broker import Delivery
from shared.messaging.postgres import PostgresBroker
from shared.messaging.topology import Queue, Topology

WORK = "work.v1"
OTHER = "other.v1"
TOPOLOGY = Topology(
    queues=(
        Queue(name=WORK, bindings=("work.#",), producers=("tests",), consumers=("tests",)),
        Queue(name=OTHER, bindings=("other", "work.both"), producers=("tests",), consumers=("tests",)),
    )
)
DEADLINE_S = 10.0


class Taken:
    """Deliveries in the order in which they came; an ``on_delivery``."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Delivery] = asyncio.Queue()

    def __call__(self, delivery: Delivery) -> None:
        self._queue.put_nowait(delivery)

    def __len__(self) -> int:
        return self._queue.qsize()

    async def next(self) -> Delivery:
        async with asyncio.timeout(DEADLINE_S):
            return await self._queue.get()


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that only a look can tell."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if await look():
                return
            await asyncio.sleep(0.01)


MakeBroker = Callable[..., PostgresBroker]


@pytest.fixture
def database_url(fresh_database: Callable[[], str]) -> str:
    return fresh_database()


@pytest.fixture
async def make_broker(database_url: str) -> AsyncIterator[MakeBroker]:
    """Builds brokers on one database, to be connected by the test; closed after it."""
    made: list[PostgresBroker] = []
    numbers = itertools.count()

    def make(url: str | None = None, *, lease_s: float = 30.0, publish_timeout_s: float = 5.0):
        settings = BrokerSettings(
            url=SecretStr(url or database_url), lease_s=lease_s, publish_timeout_s=publish_timeout_s
        )
        made.append(PostgresBroker(settings, name=f"test-{next(numbers)}", topology=TOPOLOGY))
        return made[-1]

    yield make
    for broker in made:
        await broker.close()


@pytest.fixture
async def broker(make_broker: MakeBroker) -> PostgresBroker:
    broker = make_broker()
    await broker.connect()
    return broker


async def crash(broker: PostgresBroker) -> None:
    """End a broker as kill -9 would: nothing is given back, its connections break."""
    await broker._background.stop()
    broker._leases._held.clear()
    while broker._connections._idle:
        broker._connections._idle.pop().terminate()
