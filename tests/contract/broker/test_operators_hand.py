"""An operator's hand on a queue: dead letters by filter, what waits taken away."""

import asyncio
import signal
import sys
from datetime import UTC, datetime

import pytest

from shared.messaging.broker import Message, Settlement
from shared.messaging.dead_letters import DeadLetterChoice
from tests.contract.broker.collector import Arrivals, eventually
from tests.contract.broker.test_operations import bury, text


def bodies(letters) -> list[bytes]:
    return [letter.message.body for letter in letters]


async def test_dead_letters_are_found_by_their_reason_and_their_age(broker, queue):
    await bury(broker, queue, "a", "b")
    between = datetime.now(UTC)
    await bury(broker, queue, "c", "B")
    by_reason = DeadLetterChoice(reason="AD b")
    by_age = DeadLetterChoice(died_before=between)
    assert bodies(await broker.dead_letters(queue.name, by_reason)) == [b"b", b"B"]
    assert bodies(await broker.dead_letters(queue.name, by_age)) == [b"a", b"b"]
    both = DeadLetterChoice(reason="bad b", died_before=between)
    assert bodies(await broker.dead_letters(queue.name, both)) == [b"b"]
    assert await broker.discard_dead_letters(queue.name, both) == 1
    assert await broker.replay_dead_letters(queue.name, by_age) == 1
    assert bodies(await broker.dead_letters(queue.name)) == [b"c", b"B"]


async def test_dead_letters_come_in_pages(broker, queue):
    await bury(broker, queue, *"abcde")
    assert bodies(await broker.dead_letters(queue.name, limit=2, offset=1)) == [b"b", b"c"]
    assert bodies(await broker.dead_letters(queue.name, limit=9, offset=4)) == [b"e"]
    assert await broker.dead_letters(queue.name, limit=9, offset=5) == []
    not_a = DeadLetterChoice.of([letter.id for letter in (await broker.dead_letters(queue.name))[1:]])
    assert bodies(await broker.dead_letters(queue.name, not_a, limit=2, offset=2)) == [b"d", b"e"]


async def test_no_more_are_replayed_or_discarded_than_the_limit_allows(broker, queue):
    await bury(broker, queue, *"abcd")
    assert await broker.replay_dead_letters(queue.name, DeadLetterChoice(), limit=1) == 1
    assert await broker.discard_dead_letters(queue.name, DeadLetterChoice(), limit=2) == 2
    assert bodies(await broker.dead_letters(queue.name)) == [b"d"]
    assert await broker.replay_dead_letters(queue.name, DeadLetterChoice.of([])) == 0


async def test_replays_and_discards_of_two_operators_touch_each_dead_letter_once(connect, topology, queue):
    first, second = await connect(topology), await connect(topology)
    await bury(first, queue, *"abcdef")
    counts = await asyncio.gather(
        *(operator.replay_dead_letters(queue.name, DeadLetterChoice()) for operator in (first, second)),
        *(operator.discard_dead_letters(queue.name, DeadLetterChoice()) for operator in (first, second)),
    )
    left = len(await first.dead_letters(queue.name))
    assert sum(counts) + left == 6  # who comes while another looks may find fewer, none twice
    assert (await first.stats(queue.name, with_age=False)).ready == counts[0] + counts[1]


async def test_a_purge_hands_over_what_waits_and_leaves_what_is_in_flight(connect, topology, queue):
    operator, worker = await connect(topology), await connect(topology)
    arrivals, purged = Arrivals(), []
    await worker.subscribe(queue.name, prefetch=1, on_delivery=arrivals)
    for body in "abc":
        await worker.publish(queue.name, text(body))
    held = await arrivals.next()

    async def keep(messages):
        purged.extend(messages)

    assert await operator.purge(queue.name, keep, limit=100) == 2
    assert purged == [text("b"), text("c")]
    await held.settle(Settlement.ACK)
    stats = await operator.stats(queue.name)
    assert (stats.ready, stats.in_flight or 0) == (0, 0)
    assert await operator.purge(queue.name, keep, limit=100) == 0


async def test_a_paused_queue_can_be_purged_up_to_a_limit(broker, queue):
    await broker.pause(queue.name)
    for number in range(5):
        await broker.publish(queue.name, text(str(number)))
    purged = []

    async def keep(messages):
        purged.extend(messages)

    assert await broker.purge(queue.name, keep, limit=3) == 3
    assert bodies_of(purged) == [b"0", b"1", b"2"]
    assert (await broker.stats(queue.name, with_age=False)).ready == 2
    await broker.resume(queue.name)


async def test_what_could_not_be_handed_over_is_not_purged(broker, queue):
    await broker.publish(queue.name, text("kept"))

    async def fail(_):
        raise RuntimeError("the database is away")

    with pytest.raises(RuntimeError):
        await broker.purge(queue.name, fail, limit=100)
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=1, on_delivery=arrivals)
    delivery = await arrivals.next()
    assert delivery.message == text("kept")
    await delivery.settle(Settlement.ACK)


async def test_a_purge_takes_what_nobody_can_read(broker, queue):
    await broker.publish(queue.name, Message(type="", body=b""))
    seen = []

    async def keep(messages):
        seen.extend(messages)

    assert await broker.purge(queue.name, keep, limit=9) == 1
    assert bodies_of(seen) == [b""]
    await eventually(lambda: broker.stats(queue.name), lambda stats: stats.ready == 0)


async def test_a_subscription_that_rests_gets_nothing_counts_as_none_and_goes_on(broker, queue):
    arrivals = Arrivals()
    subscription = await broker.subscribe(queue.name, prefetch=1, on_delivery=arrivals)
    await broker.publish(queue.name, text("held"))
    held = await arrivals.next()
    await subscription.rest()
    await broker.publish(queue.name, text("waits"))
    await held.settle(Settlement.ACK)
    await eventually(lambda: broker.stats(queue.name, with_age=False), lambda stats: not stats.consumers)
    await eventually(lambda: broker.stats(queue.name, with_age=False), lambda stats: stats.ready == 1)
    assert arrivals.waiting == 0
    await subscription.go_on()
    delivery = await arrivals.next()
    assert (delivery.message.body, delivery.attempt) == (b"waits", 1)
    await delivery.settle(Settlement.ACK)
    await subscription.rest()
    await subscription.stop()


def bodies_of(messages) -> list[bytes]:
    return [message.body for message in messages]


async def test_a_replay_that_is_killed_loses_nothing_and_doubles_at_most_what_it_had_in_hand(
    broker, broker_url, queue
):
    await bury(broker, queue, *"abc")
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.contract.broker.replay_process", broker_url, queue.name
    )
    assert await victim.wait() == -signal.SIGKILL
    arrivals = Arrivals()

    async def told() -> int:
        return (await broker.stats(queue.name, with_age=False)).ready

    assert await eventually(told, bool) >= 1  # it was killed after the first of them was put back
    await eventually(
        lambda: broker.stats(queue.name, with_age=False), lambda stats: stats.ready + stats.dead >= 3
    )
    left = await broker.dead_letters(queue.name)
    assert await broker.replay_dead_letters(queue.name, DeadLetterChoice()) == len(left)
    assert await broker.replay_dead_letters(queue.name, DeadLetterChoice()) == 0
    waiting = await told()
    assert 3 <= waiting <= 4
    await broker.subscribe(queue.name, prefetch=9, on_delivery=arrivals)
    seen = []
    for delivery in await arrivals.take(waiting):
        seen.append(delivery.message.body)
        await delivery.settle(Settlement.ACK)
    assert set(seen) == {b"a", b"b", b"c"}
