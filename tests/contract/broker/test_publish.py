"""What is published arrives as it was, or the publisher hears that it did not."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import PayloadTooLargeError, UnroutableMessageError
from shared.messaging.broker import MAX_BODY_BYTES, Message, Settlement
from shared.messaging.topology import Topology
from tests.contract.broker.collector import Arrivals, until
from tests.contract.broker.conftest import small_queue


def text(body: str) -> Message:
    return Message(type="test.v1", body=body.encode())


async def test_a_published_message_reaches_the_queue_bound_to_its_topic(broker, queue):
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=5, on_delivery=arrivals)
    await broker.publish(f"{queue.name}.chat", text("hello"))
    delivery = await arrivals.next()
    assert delivery.message == text("hello")
    assert delivery.queue == queue.name
    assert (delivery.attempt, delivery.redelivered) == (1, False)
    assert abs(datetime.now(UTC) - delivery.published_at) < timedelta(seconds=10)
    await delivery.settle(Settlement.ACK)


async def test_a_message_reaches_every_queue_bound_to_its_topic(connect):
    one, two = small_queue(), small_queue()
    shared_topic = f"{one.name}.shared"
    two = type(two)(name=two.name, bindings=(f"{one.name}.*",), producers=(), consumers=())
    broker = await connect(Topology((one, two)))
    firsts, seconds = Arrivals(), Arrivals()
    await broker.subscribe(one.name, prefetch=5, on_delivery=firsts)
    await broker.subscribe(two.name, prefetch=5, on_delivery=seconds)
    await broker.publish(shared_topic, text("both"))
    for arrivals in (firsts, seconds):
        delivery = await arrivals.next()
        assert delivery.message.body == b"both"
        await delivery.settle(Settlement.ACK)


async def test_a_topic_without_a_queue_is_unroutable(broker, queue):
    with pytest.raises(UnroutableMessageError):
        await broker.publish(f"nobody.{queue.name}", text("lost"))


async def test_unroutable_messages_do_not_disturb_concurrent_ones(broker, queue):
    topics = [queue.name if number % 2 else f"nobody.{queue.name}" for number in range(40)]
    outcomes = await asyncio.gather(
        *(broker.publish(topic, text(topic)) for topic in topics), return_exceptions=True
    )
    assert [isinstance(outcome, UnroutableMessageError) for outcome in outcomes] == [True, False] * 20
    assert [outcome for outcome in outcomes if outcome is None] == [None] * 20
    assert (await broker.stats(queue.name)).ready == 20


async def test_everything_around_the_body_arrives_too(broker, queue):
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=5, on_delivery=arrivals)
    expires_at = datetime.now(UTC) + timedelta(minutes=5)
    sent = Message(
        type="job.requested.v1",
        body=b"{}",
        headers={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "k": "ü"},
        correlation_id="job-4711",
        reply_to="inbox-1",
        expires_at=expires_at,
    )
    await broker.publish(queue.name, sent)
    delivery = await arrivals.next()
    got = delivery.message
    assert (got.type, got.body, dict(got.headers)) == (sent.type, sent.body, dict(sent.headers))
    assert (got.correlation_id, got.reply_to) == (sent.correlation_id, sent.reply_to)
    assert abs(got.expires_at - expires_at) <= timedelta(milliseconds=1)
    await delivery.settle(Settlement.ACK)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param('{"text": "žluťoučký 🐎 \u2028"}'.encode(), id="unicode"),
        pytest.param(rb'{"nul": "\u0000", "lone": "\ud800"}', id="json-escapes"),
        pytest.param(b'{"a":1}\n{ "b" :  2.50e3 }\n', id="lines-and-spacing"),
        pytest.param(("x" * 199 + "é").encode() * 1024, id="200-KiB"),
        pytest.param(b"y" * MAX_BODY_BYTES, id="the-largest"),
    ],
)
async def test_a_body_arrives_byte_for_byte(broker, queue, body):
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=5, on_delivery=arrivals)
    await broker.publish(queue.name, Message(type="test.v1", body=body))
    delivery = await arrivals.next()
    assert delivery.message.body == body
    await delivery.settle(Settlement.ACK)


async def test_a_body_over_the_limit_is_refused_and_the_next_message_goes_through(broker, queue):
    with pytest.raises(PayloadTooLargeError, match=str(MAX_BODY_BYTES)):
        await broker.publish(queue.name, Message(type="test.v1", body=b"z" * (MAX_BODY_BYTES + 1)))
    await broker.publish(queue.name, text("fits"))
    assert (await broker.stats(queue.name)).ready == 1


async def test_concurrent_publishes_all_arrive(broker, queue):
    arrivals = Arrivals()
    await asyncio.gather(*(broker.publish(queue.name, text(str(number))) for number in range(300)))
    await broker.subscribe(queue.name, prefetch=300, on_delivery=arrivals)
    deliveries = await arrivals.take(300)
    assert {int(delivery.message.body) for delivery in deliveries} == set(range(300))
    await asyncio.gather(*(delivery.settle(Settlement.ACK) for delivery in deliveries))


async def test_messages_published_one_after_the_other_arrive_in_that_order(broker, queue):
    arrivals = Arrivals()
    for number in range(20):
        await broker.publish(queue.name, text(str(number)))
    await broker.subscribe(queue.name, prefetch=50, on_delivery=arrivals)
    deliveries = await arrivals.take(20)
    assert [int(delivery.message.body) for delivery in deliveries] == list(range(20))
    for delivery in deliveries:
        await delivery.settle(Settlement.ACK)


@pytest.mark.parametrize("late_s", [0.05, -60.0], ids=["soon", "already"])
async def test_an_expired_message_is_neither_delivered_nor_a_dead_letter(broker, queue, late_s):
    expires_at = datetime.now(UTC) + timedelta(seconds=late_s)
    await broker.publish(queue.name, Message(type="test.v1", body=b"late", expires_at=expires_at))
    await until(expires_at)
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=5, on_delivery=arrivals)
    await broker.publish(queue.name, text("in time"))
    delivery = await arrivals.next()
    assert delivery.message.body == b"in time"
    await delivery.settle(Settlement.ACK)
    assert (await broker.stats(queue.name)).dead == 0
    assert arrivals.waiting == 0


async def test_an_expired_message_is_not_given_to_a_consumer_that_waits(broker, queue):
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=5, on_delivery=arrivals)
    expires_at = datetime.now(UTC) - timedelta(seconds=1)
    await broker.publish(queue.name, Message(type="test.v1", body=b"late", expires_at=expires_at))
    await broker.publish(queue.name, text("in time"))
    delivery = await arrivals.next()
    assert delivery.message.body == b"in time"
    await delivery.settle(Settlement.ACK)
