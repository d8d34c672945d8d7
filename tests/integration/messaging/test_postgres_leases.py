"""Who holds a delivery, for how long, and what a late settlement does."""

import asyncio
import time
from functools import partial

import pytest

from shared.errors import LeaseLostError
from shared.messaging.broker import Message, Settlement
from tests.contract.broker.collector import eventually
from tests.integration.messaging.conftest import WORK, Taken, crash


async def _publish(broker, body=b"{}"):
    await broker.publish("work.a", Message(type="t.v1", body=body))


async def test_a_lease_is_renewed_for_as_long_as_the_delivery_is_held(make_broker):
    holder, other = make_broker(lease_s=1), make_broker(lease_s=1)
    await holder.connect()
    await other.connect()
    held, stolen = Taken(), Taken()
    await holder.subscribe(WORK, prefetch=1, on_delivery=held)
    await _publish(holder)
    delivery = await held.next()
    await other.subscribe(WORK, prefetch=1, on_delivery=stolen)
    until = time.monotonic() + 3  # three leases
    while time.monotonic() < until:
        stats = await holder.stats(WORK)
        assert (stats.ready, stats.in_flight) == (0, 1)
        await asyncio.sleep(0.05)
    assert not len(stolen)
    await delivery.settle(Settlement.ACK)
    stats = await holder.stats(WORK)
    assert (stats.ready, stats.in_flight) == (0, 0)


async def test_a_delivery_of_a_killed_process_comes_again_and_its_late_ack_is_refused(make_broker):
    victim, heir = make_broker(lease_s=1), make_broker(lease_s=1)
    await victim.connect()
    await heir.connect()
    first, second = Taken(), Taken()
    await victim.subscribe(WORK, prefetch=1, on_delivery=first)
    await _publish(victim)
    lost = await first.next()
    assert (lost.attempt, lost.redelivered) == (1, False)
    await crash(victim)
    await heir.subscribe(WORK, prefetch=1, on_delivery=second)
    again = await second.next()
    assert (again.attempt, again.redelivered) == (2, True)
    assert again.published_at == lost.published_at
    # The late acknowledgement, as if the victim had only been frozen.
    assert await victim._leases._ack([lost]) == [False]
    assert (await heir.stats(WORK)).in_flight == 1
    await again.settle(Settlement.ACK)
    with pytest.raises(LeaseLostError):
        await again.settle(Settlement.ACK)


async def test_the_holder_of_a_lost_lease_learns_it_when_it_settles(make_broker):
    frozen, heir = make_broker(lease_s=1), make_broker(lease_s=1)
    await frozen.connect()
    await heir.connect()
    first, second = Taken(), Taken()
    subscription = await frozen.subscribe(WORK, prefetch=1, on_delivery=first)
    await _publish(frozen)
    lost = await first.next()
    await subscription.stop()
    frozen._leases._held.clear()  # nobody renews, as if the process had been stopped
    await heir.subscribe(WORK, prefetch=1, on_delivery=second)
    again = await second.next()
    frozen._leases.add(lost)  # it goes on, and renews
    await eventually(partial(heir.stats, WORK), lambda _: lost.lost)
    for settlement in Settlement:
        lost.settled = False
        with pytest.raises(LeaseLostError):
            await lost.settle(settlement, reason="late")
    assert (await heir.stats(WORK)).in_flight == 1
    await again.settle(Settlement.ACK)


async def test_a_release_is_not_counted_and_a_requeue_is(broker):
    taken = Taken()
    await broker.subscribe(WORK, prefetch=1, on_delivery=taken)
    await _publish(broker)
    seen = []
    for settlement in (Settlement.RELEASE, Settlement.REQUEUE, Settlement.RELEASE, Settlement.ACK):
        delivery = await taken.next()
        seen.append((delivery.attempt, delivery.redelivered))
        await delivery.settle(settlement)
    assert seen == [(1, False), (1, False), (2, True), (2, True)]


async def test_closing_gives_back_at_once_what_is_held(make_broker):
    closing, heir = make_broker(lease_s=30), make_broker(lease_s=30)
    await closing.connect()
    await heir.connect()
    held, taken = Taken(), Taken()
    await closing.subscribe(WORK, prefetch=3, on_delivery=held)
    for number in range(3):
        await _publish(closing, str(number).encode())
        await held.next()
    await heir.subscribe(WORK, prefetch=3, on_delivery=taken)
    await closing.close()
    again = [await taken.next() for _ in range(3)]
    assert sorted(delivery.message.body for delivery in again) == [b"0", b"1", b"2"]
    assert {delivery.attempt for delivery in again} == {2}


async def test_stopping_a_subscription_leaves_nothing_leased_to_nobody(broker):
    for number in range(200):
        await _publish(broker, str(number).encode())
    taken = Taken()
    for _ in range(20):
        subscription = await broker.subscribe(WORK, prefetch=5, on_delivery=taken)
        await subscription.stop()
    held = [await taken.next() for _ in range(len(taken))]
    assert (await broker.stats(WORK)).in_flight == len(held)
    await asyncio.gather(*(delivery.settle(Settlement.ACK) for delivery in held))
    stats = await broker.stats(WORK)
    assert (stats.ready, stats.in_flight, stats.consumers) == (200 - len(held), 0, 0)


async def test_no_more_than_the_prefetch_is_handed_out(broker):
    taken = Taken()
    await broker.subscribe(WORK, prefetch=7, on_delivery=taken)
    await asyncio.gather(*(_publish(broker, str(number).encode()) for number in range(50)))
    bodies = set()
    while len(bodies) < 50:
        assert len(taken) <= 7
        delivery = await taken.next()
        bodies.add(delivery.message.body)
        await delivery.settle(Settlement.ACK)
    assert len(taken) == 0


async def test_a_settlement_whose_caller_was_cancelled_before_it_was_sent_can_be_made_anew(broker):
    taken = Taken()
    await broker.subscribe(WORK, prefetch=2, on_delivery=taken)
    await _publish(broker, b"1")
    await _publish(broker, b"2")
    first, second = await taken.next(), await taken.next()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(first.settle(Settlement.ACK))
        await asyncio.sleep(0)  # submitted
        await asyncio.sleep(0)  # under way
        cancelled = tasks.create_task(second.settle(Settlement.ACK))
        await asyncio.sleep(0)
        cancelled.cancel()
    await second.settle(Settlement.REQUEUE)
    again = await taken.next()
    assert (again.message.body, again.attempt) == (b"2", 2)
    await again.settle(Settlement.ACK)
    stats = await broker.stats(WORK)
    assert (stats.ready, stats.in_flight) == (0, 0)


async def test_renewals_and_acknowledgements_do_not_disturb_each_other(make_broker):
    broker = make_broker(lease_s=0.03)
    await broker.connect()
    taken = Taken()
    await broker.subscribe(WORK, prefetch=64, on_delivery=taken)
    numbers = [str(number).encode() for number in range(1000)]
    await asyncio.gather(*(_publish(broker, number) for number in numbers))
    done = []
    while len(done) < len(numbers):
        batch = [await taken.next() for _ in range(min(64, len(numbers) - len(done)))]
        await asyncio.gather(*(delivery.settle(Settlement.ACK) for delivery in reversed(batch)))
        done += [delivery.message.body for delivery in batch]
    assert sorted(done) == sorted(numbers)
