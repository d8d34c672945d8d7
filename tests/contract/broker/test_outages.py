"""The broker's server is killed and started again under clients that go on running."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from shared.errors import (
    BrokerUnavailableError,
    LeaseLostError,
    PublishOutcomeUnknownError,
)
from shared.messaging.broker import Broker, Message, Settlement
from shared.messaging.factory import make_broker
from shared.messaging.requests import Requester
from shared.messaging.topology import Queue, Topology
from tests.contract.broker.collector import Arrivals, eventually
from tests.contract.broker.conftest import BROKERS, broker_settings
from tests.contract.broker.servers import Server, server

BOUND_S = 2.5


def text(body: str) -> Message:
    return Message(type="test.v1", body=body.encode())


@pytest.fixture(scope="module", params=BROKERS)
def mortal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if request.param == "rabbitmq":
        request.getfixturevalue("rabbitmq_installed")
    started = server(request.param, tmp_path_factory.mktemp("mortal"))
    started.start()
    yield started
    started.close()


@pytest.fixture
async def client(mortal: Server, topology: Topology) -> AsyncIterator[Broker]:
    await asyncio.to_thread(mortal.start)
    declaring = make_broker(broker_settings(mortal.url), name="declarer", topology=topology)
    await declaring.connect()
    await declaring.close()
    await asyncio.to_thread(mortal.settle_queues)
    broker = make_broker(broker_settings(mortal.url), name="survivor", topology=topology)
    await broker.connect()
    yield broker
    await broker.close()


async def outcome(broker: Broker, queue: Queue, body: str) -> str:
    """Publish, and tell what the publisher was told, within the bound."""
    async with asyncio.timeout(BOUND_S):
        try:
            await broker.publish(queue.name, text(body))
        except BrokerUnavailableError:
            return "unavailable"
        except PublishOutcomeUnknownError:
            return "unknown"
        return "confirmed"


async def published(broker: Broker, queue: Queue, body: str) -> None:
    async def attempt() -> str:
        return await outcome(broker, queue, body)

    await eventually(attempt, lambda told: told == "confirmed")


async def test_everything_works_again_after_the_server_was_killed(mortal, client, queue):
    arrivals, replies, heard, lost = Arrivals(), Arrivals(), Arrivals(), asyncio.Event()
    await client.subscribe(queue.name, prefetch=50, on_delivery=arrivals)
    inbox = await client.open_inbox(replies, lost.set)
    await client.listen(heard)
    await client.publish(queue.name, text("held"))
    held = await arrivals.next()

    mortal.kill()
    async with asyncio.timeout(5):
        await lost.wait()
    assert await outcome(client, queue, "down") in ("unavailable", "unknown")
    assert await outcome(client, queue, "down") == "unavailable"
    with pytest.raises(BrokerUnavailableError):
        async with asyncio.timeout(BOUND_S):
            await client.ping()
    with pytest.raises(BrokerUnavailableError):
        async with asyncio.timeout(BOUND_S):
            await client.broadcast(text("nobody"))
    await asyncio.to_thread(mortal.start)

    await published(client, queue, "after")
    try:
        await held.settle(Settlement.ACK)
        expected = {b"after"}
    except (LeaseLostError, BrokerUnavailableError):
        expected = {b"held", b"after"}
    seen = set()
    while expected - seen:
        delivery = await arrivals.next()
        if delivery.message.body == b"held":
            assert (delivery.attempt, delivery.redelivered) == (2, True)
        seen.add(delivery.message.body)
        await delivery.settle(Settlement.ACK)
    await _answered(client, inbox.address, replies)
    await _heard(client, heard)
    await client.ping()


async def test_who_asked_while_the_inbox_was_away_is_told_that_the_answer_may_be_lost(mortal, client):
    async with Requester(client) as requester:
        with requester.expect("before") as before:
            mortal.kill()
            with pytest.raises(BrokerUnavailableError):
                await before.next(5)
        with requester.expect("meanwhile") as meanwhile:
            await asyncio.to_thread(mortal.start)
            with pytest.raises(BrokerUnavailableError):
                await meanwhile.next(20)


async def _answered(client: Broker, address: str, replies: Arrivals) -> None:
    async def ask() -> bool:
        await client.reply(address, text("reply"))
        try:
            return (await replies.next(0.5)).body == b"reply"
        except TimeoutError:
            return False

    await eventually(ask, bool)


async def _heard(client: Broker, heard: Arrivals) -> None:
    async def call() -> bool:
        await client.broadcast(text("all"))
        try:
            return (await heard.next(0.5)).body == b"all"
        except TimeoutError:
            return False

    await eventually(call, bool)


async def test_nothing_confirmed_is_lost_when_the_server_is_killed_while_publishing(mortal, client, queue):
    told: dict[str, str] = {}
    enough = asyncio.Event()

    async def publish_on(publisher: int) -> None:
        number = 0
        while "unavailable" not in told.values():
            body = f"{publisher}-{number}"
            told[body] = await outcome(client, queue, body)
            number += 1
            if len(told) > 200:
                enough.set()

    async with asyncio.TaskGroup() as group:
        for publisher in range(20):
            group.create_task(publish_on(publisher))
        await enough.wait()
        mortal.kill()
    await asyncio.to_thread(mortal.start)

    await published(client, queue, "end")
    confirmed = {body.encode() for body, said in told.items() if said == "confirmed"}
    arrivals, seen = Arrivals(), set()
    await client.subscribe(queue.name, prefetch=100, on_delivery=arrivals)
    while not confirmed <= seen:
        delivery = await arrivals.next()
        seen.add(delivery.message.body)
        await delivery.settle(Settlement.ACK)
    assert len(confirmed) > 100


async def test_a_pause_outlives_the_server(mortal, client, queue):
    arrivals = Arrivals()
    await client.subscribe(queue.name, prefetch=5, on_delivery=arrivals)
    await client.pause(queue.name)
    mortal.kill()
    await asyncio.to_thread(mortal.start)
    await published(client, queue, "waits")

    async def paused() -> bool:
        try:
            return (await client.stats(queue.name)).paused
        except BrokerUnavailableError:
            return False

    await eventually(paused, bool)
    assert arrivals.waiting == 0
    await client.resume(queue.name)
    delivery = await arrivals.next()
    assert delivery.message.body == b"waits"
    await delivery.settle(Settlement.ACK)


async def test_connecting_waits_for_a_server_that_is_not_up_yet(mortal, client, topology, queue):
    mortal.kill()
    late = make_broker(broker_settings(mortal.url), name="early-bird", topology=topology)
    async with asyncio.TaskGroup() as group:
        connecting = group.create_task(late.connect())
        await asyncio.to_thread(mortal.start)
        async with asyncio.timeout(20):
            await connecting
    await late.publish(queue.name, text("hello"))
    await late.close()
