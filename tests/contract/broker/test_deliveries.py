"""Prefetch, settlements, and the count of attempts."""

import asyncio

import pytest

from shared.errors import LeaseLostError, NotFoundError
from shared.messaging.broker import Message, Settlement
from tests.contract.broker.collector import Arrivals, eventually


def text(body: str) -> Message:
    return Message(type="test.v1", body=body.encode(), headers={"kept": "yes"}, correlation_id="c")


async def test_no_more_than_the_prefetch_is_handed_out_unsettled(broker, queue):
    for number in range(6):
        await broker.publish(queue.name, text(str(number)))
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=2, on_delivery=arrivals)
    held = await arrivals.take(2)
    await eventually(lambda: broker.stats(queue.name), lambda stats: stats.ready == 4)
    assert arrivals.waiting == 0
    await held[0].settle(Settlement.ACK)
    third = await arrivals.next()
    assert third.message.body not in {delivery.message.body for delivery in held}
    assert arrivals.waiting == 0
    for delivery in (held[1], third):
        await delivery.settle(Settlement.ACK)


async def test_what_is_acknowledged_does_not_come_again(broker, queue, connect, topology):
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=2, on_delivery=arrivals)
    await broker.publish(queue.name, text("once"))
    await (await arrivals.next()).settle(Settlement.ACK)
    await broker.close()
    again = await connect(topology)
    await again.subscribe(queue.name, prefetch=2, on_delivery=arrivals)
    await again.publish(queue.name, text("marker"))
    delivery = await arrivals.next()
    assert delivery.message.body == b"marker"
    await delivery.settle(Settlement.ACK)


async def test_a_requeue_raises_the_attempt_each_time(broker, queue):
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=2, on_delivery=arrivals)
    await broker.publish(queue.name, text("again"))
    published_at = None
    for attempt in (1, 2, 3):
        delivery = await arrivals.next()
        assert (delivery.attempt, delivery.redelivered) == (attempt, attempt > 1)
        assert delivery.message == text("again")
        published_at = published_at or delivery.published_at
        assert delivery.published_at == published_at
        await delivery.settle(Settlement.REQUEUE)
    await (await arrivals.next()).settle(Settlement.ACK)


async def test_a_release_changes_nothing_about_the_message(broker, queue):
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=2, on_delivery=arrivals)
    await broker.publish(queue.name, text("untouched"))
    for _ in range(3):
        delivery = await arrivals.next()
        assert (delivery.attempt, delivery.redelivered) == (1, False)
        assert delivery.message == text("untouched")
        await delivery.settle(Settlement.RELEASE)
    await (await arrivals.next()).settle(Settlement.ACK)


async def test_a_release_keeps_an_attempt_that_was_counted_before(broker, queue):
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=2, on_delivery=arrivals)
    await broker.publish(queue.name, text("second try"))
    await (await arrivals.next()).settle(Settlement.REQUEUE)
    await (await arrivals.next()).settle(Settlement.RELEASE)
    delivery = await arrivals.next()
    assert (delivery.attempt, delivery.redelivered) == (2, True)
    await delivery.settle(Settlement.ACK)


async def test_a_delivery_is_settled_once(broker, queue):
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=2, on_delivery=arrivals)
    await broker.publish(queue.name, text("twice"))
    delivery = await arrivals.next()
    await delivery.settle(Settlement.ACK)
    with pytest.raises(LeaseLostError):
        await delivery.settle(Settlement.REQUEUE)
    await broker.publish(queue.name, text("next"))
    following = await arrivals.next()
    assert following.message.body == b"next"
    await following.settle(Settlement.ACK)


async def test_a_stopped_subscription_takes_nothing_and_can_still_settle(broker, queue):
    arrivals = Arrivals()
    subscription = await broker.subscribe(queue.name, prefetch=1, on_delivery=arrivals)
    await broker.publish(queue.name, text("in hand"))
    held = await arrivals.next()
    await broker.publish(queue.name, text("left alone"))
    await subscription.stop()
    await held.settle(Settlement.ACK)
    stats = await eventually(lambda: broker.stats(queue.name), lambda stats: stats.consumers == 0)
    assert stats.ready == 1
    assert arrivals.waiting == 0
    others = Arrivals()
    await broker.subscribe(queue.name, prefetch=1, on_delivery=others)
    delivery = await others.next()
    assert delivery.message.body == b"left alone"
    await delivery.settle(Settlement.ACK)


async def test_closing_gives_back_what_is_held(broker, queue, connect, topology):
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=5, on_delivery=arrivals)
    for number in range(3):
        await broker.publish(queue.name, text(str(number)))
    await arrivals.take(3)
    await broker.close()
    other, others = await connect(topology), Arrivals()
    await other.subscribe(queue.name, prefetch=5, on_delivery=others)
    deliveries = await others.take(3)
    assert {delivery.message.body for delivery in deliveries} == {b"0", b"1", b"2"}
    await asyncio.gather(*(delivery.settle(Settlement.ACK) for delivery in deliveries))


async def test_two_consumers_share_a_queue(connect, topology, queue):
    one, two = await connect(topology), await connect(topology)
    firsts, seconds = Arrivals(), Arrivals()
    await one.subscribe(queue.name, prefetch=1, on_delivery=firsts)
    await two.subscribe(queue.name, prefetch=1, on_delivery=seconds)
    for number in range(2):
        await one.publish(queue.name, text(str(number)))
    first, second = await firsts.next(), await seconds.next()
    assert {first.message.body, second.message.body} == {b"0", b"1"}
    await first.settle(Settlement.ACK)
    await second.settle(Settlement.ACK)


async def test_a_queue_outside_the_topology_is_not_found(broker):
    with pytest.raises(NotFoundError):
        await broker.subscribe("no-such-queue", prefetch=1, on_delivery=Arrivals())
    with pytest.raises(NotFoundError):
        await broker.stats("no-such-queue")
