"""Both brokers, on real servers; each test has queues of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from shared.config.settings import BrokerSettings
from shared.messaging.broker import Broker
from shared.messaging.factory import make_broker
from shared.messaging.topology import Queue, Topology

BROKERS = ["postgres", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)]

LEASE_S = 1.5
"""How long PGMQ waits for a consumer that died; RabbitMQ sees its connection close."""

Connect = Callable[[Topology], Awaitable[Broker]]


def broker_settings(url: str) -> BrokerSettings:
    return BrokerSettings(url=url, lease_s=LEASE_S)


def small_queue(name: str | None = None) -> Queue:
    name = name or f"test-{uuid4().hex[:12]}"
    return Queue(name=name, bindings=(f"{name}.#",), producers=(), consumers=())


@pytest.fixture(scope="module", params=BROKERS)
def broker_url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "rabbitmq":
        yield request.getfixturevalue("rabbitmq_url")
    else:
        yield request.getfixturevalue("fresh_database")()


@pytest.fixture
async def connect(broker_url: str) -> AsyncIterator[Connect]:
    """Make further brokers, as other processes would; all are closed in the end."""
    async with AsyncExitStack() as stack:

        async def connected(topology: Topology) -> Broker:
            broker = make_broker(broker_settings(broker_url), name="contract-test", topology=topology)
            await broker.connect()
            stack.push_async_callback(broker.close)
            return broker

        yield connected


@pytest.fixture
def queue() -> Queue:
    return small_queue()


@pytest.fixture
def topology(queue: Queue) -> Topology:
    return Topology((queue,))


@pytest.fixture
async def broker(connect: Connect, topology: Topology) -> Broker:
    return await connect(topology)
