"""What only RabbitMQ does: channels that break, alarms, queues that vanish."""

import asyncio
import subprocess
from collections.abc import AsyncIterator

import pytest

from shared.errors import (
    BrokerUnavailableError,
    LeaseLostError,
    MalformedMessageError,
    PublishOutcomeUnknownError,
)
from shared.messaging.amqp import methods
from shared.messaging.broker import Broker, Message, Settlement
from shared.messaging.factory import make_broker
from shared.messaging.rabbitmq.broker import RabbitBroker
from shared.messaging.rabbitmq.wire import ATTEMPT, COPY, EXPIRES_AT, PUBLISHED_AT
from shared.messaging.topology import Queue, Topology
from tests.contract.broker.collector import Arrivals, eventually
from tests.contract.broker.conftest import broker_settings, small_queue

pytestmark = pytest.mark.rabbitmq


def text(body: str) -> Message:
    return Message(type="test.v1", body=body.encode())


def _header(name: str | bytes, value: bytes) -> bytes:
    """Spell properties that are one header only."""
    key = name.encode() if isinstance(name, str) else name
    entry = bytes((len(key),)) + key + value
    return b"\x20\x00" + len(entry).to_bytes(4, "big") + entry


@pytest.fixture
def queue() -> Queue:
    return small_queue()


@pytest.fixture
async def broker(rabbitmq_url: str, queue: Queue) -> AsyncIterator[RabbitBroker]:
    broker = make_broker(broker_settings(rabbitmq_url), name="test", topology=Topology((queue,)))
    await broker.connect()
    assert isinstance(broker, RabbitBroker)
    yield broker
    await broker.close()


async def test_settling_after_the_channel_broke_is_a_lost_lease_and_the_message_comes_again(broker, queue):
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=1, on_delivery=arrivals)
    await broker.publish(queue.name, text("held"))
    held = await arrivals.next()
    await broker._subscriptions[0]._kept.current.close()
    again = await arrivals.next()
    assert (again.attempt, again.redelivered) == (2, True)
    assert (held.lost, again.lost) == (True, False)
    with pytest.raises(LeaseLostError):
        await held.settle(Settlement.ACK)
    await again.settle(Settlement.ACK)


async def test_a_connection_that_breaks_is_replaced_and_nothing_is_lost(broker, queue):
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=10, on_delivery=arrivals)
    for link in (broker._consume_link, broker._publish_link):
        await broker.publish(queue.name, text("one"))
        link._connection._transport.abort()
    await eventually(lambda: _accepted(broker, queue), bool)
    bodies = [(await arrivals.next()).message.body for _ in range(3)]
    assert bodies.count(b"one") >= 2


async def _accepted(broker: Broker, queue: Queue) -> bool:
    try:
        await broker.publish(queue.name, text("two"))
    except (BrokerUnavailableError, PublishOutcomeUnknownError):
        return False
    return True


async def test_a_queue_that_was_deleted_under_its_consumer_is_declared_again(broker, queue, rabbitmq_url):
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=1, on_delivery=arrivals)
    channel = await (await broker._consume_link.connected()).channel()
    await channel.call(methods.QUEUE_DELETE, methods.QUEUE_DELETE_OK, queue=queue.name)
    await channel.close()
    await eventually(lambda: _works(broker, queue), bool)
    delivery = await arrivals.next()
    assert delivery.message.body == b"two"
    await delivery.settle(Settlement.ACK)


async def test_an_inbox_whose_queue_was_deleted_is_opened_again_and_its_owner_is_told(broker):
    replies, lost = Arrivals(), asyncio.Event()
    inbox = await broker.open_inbox(replies, lost.set)
    lost.clear()
    channel = await (await broker._consume_link.connected()).channel()
    await channel.call(methods.QUEUE_DELETE, methods.QUEUE_DELETE_OK, queue=inbox.address)
    await channel.close()
    async with asyncio.timeout(10):
        await lost.wait()

    async def answered() -> bool:
        await broker.reply(inbox.address, text("answer"))
        return replies.waiting > 0

    await eventually(answered, bool)


async def _works(broker: Broker, queue: Queue) -> bool:
    try:
        return (await broker.stats(queue.name)).consumers == 1 and await _accepted(broker, queue)
    except Exception:  # noqa: BLE001 - the queue does not exist for a moment
        return False


@pytest.mark.parametrize(
    "properties",
    [
        b"\x04\x00\x02\xff\xfe",
        _header("when", b"T" + (1_700_000_000_000).to_bytes(8, "big")),
        _header("share", b"d" + b"\x3f" * 8),
        _header("CC", b"A\x00\x00\x00\x00"),
        _header(b"\xff" * 128, b"S\x00\x00\x00\x01a"),
        _header(EXPIRES_AT, b"S\x00\x00\x00\x04soon"),
        _header(EXPIRES_AT, b"l\x7f" + b"\xff" * 7),
        _header(PUBLISHED_AT, b"S\x00\x00\x00\x05today"),
        _header(ATTEMPT, b"S\x00\x00\x00\x05first"),
        _header(COPY, b"A\x00\x00\x00\x00"),
    ],
    ids=[
        *("no-utf-8", "milliseconds", "float", "array", "long-name", "expiry-text", "expiry-late"),
        *("published-text", "attempt-text", "copy-array"),
    ],
)
async def test_a_message_of_another_making_is_settled_like_any_other(broker, queue, properties):
    channel = await (await broker._consume_link.connected()).channel()
    channel.publishing._write("", queue.name, properties, b"foreign", mandatory=False)
    await channel.close()
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=1, on_delivery=arrivals)
    delivery = await arrivals.next()
    assert (delivery.attempt, delivery.message.body) == (1, b"foreign")
    assert all(isinstance(value, str) for value in delivery.message.headers.values())
    await delivery.settle(Settlement.REQUEUE)
    again = await arrivals.next()
    assert again.attempt == 2
    await again.settle(Settlement.DEAD_LETTER, reason="foreign")
    letters = await eventually(lambda: broker.dead_letters(queue.name), bool)
    assert [letter.reason for letter in letters] == ["foreign"]


@pytest.mark.parametrize(
    "refused",
    [
        Message(type="t", body=b"", headers={"long": "x" * 140_000}),
        Message(type="t", body=b"", headers={"half": "\ud800"}),
        Message(type="t", body=b"", correlation_id="x" * 256),
    ],
    ids=["frame", "no-text", "short-string"],
)
async def test_a_message_that_amqp_cannot_spell_is_refused_and_costs_no_other(broker, queue, refused):
    outcomes = await asyncio.gather(
        broker.publish(queue.name, text("before")),
        broker.publish(queue.name, refused),
        broker.reply("nobody", refused),
        broker.reply("nobody", refused),
        broker.broadcast(refused),
        broker.publish(queue.name, text("after")),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), *[MalformedMessageError] * 4, type(None)]


async def test_a_publish_during_a_memory_alarm_is_refused_fast_and_goes_through_after(
    tmp_path_factory, queue
):
    from tests.support.rabbitmq import RabbitNode

    node = RabbitNode(tmp_path_factory.mktemp("alarm"))
    await asyncio.to_thread(node.start)
    broker = make_broker(broker_settings(node.url), name="alarmed", topology=Topology((queue,)))
    try:
        await broker.connect()
        await asyncio.to_thread(_watermark, node, "0.0000001")
        with pytest.raises((BrokerUnavailableError, PublishOutcomeUnknownError)):
            await broker.publish(queue.name, text("first: finds the alarm"))
        async with asyncio.timeout(0.2):
            with pytest.raises(BrokerUnavailableError, match="memory"):
                await broker.publish(queue.name, text("second: knows of it"))
        with pytest.raises(BrokerUnavailableError, match="memory"):
            await broker.ping()
        await asyncio.to_thread(_watermark, node, "0.6")
        await eventually(lambda: _accepted(broker, queue), bool)
    finally:
        await broker.close()
        await asyncio.to_thread(node.close)


def _watermark(node, fraction: str) -> None:
    subprocess.run(
        [
            "/usr/lib/rabbitmq/bin/rabbitmqctl",
            "-n",
            node._environment()["RABBITMQ_NODENAME"],
            "set_vm_memory_high_watermark",
            fraction,
        ],
        env=node._environment(),
        check=True,
        capture_output=True,
        timeout=60,
    )
