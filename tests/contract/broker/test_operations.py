"""What an operator sees of a queue, and does to it."""

import asyncio
from datetime import UTC, datetime, timedelta

from shared.messaging.broker import Message, Settlement
from shared.messaging.dead_letters import DeadLetterChoice
from tests.contract.broker.collector import Arrivals, eventually, until


def text(body: str) -> Message:
    return Message(type="test.v1", body=body.encode(), headers={"kept": "yes"}, correlation_id="c")


async def bury(broker, queue, *bodies: str) -> None:
    arrivals = Arrivals()
    subscription = await broker.subscribe(queue.name, prefetch=1, on_delivery=arrivals)
    for body in bodies:
        await broker.publish(queue.name, text(body))
        await (await arrivals.next()).settle(Settlement.DEAD_LETTER, reason=f"bad {body}")
    await subscription.stop()


async def test_a_dead_letter_is_listed_with_what_an_operator_needs(broker, queue):
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=1, on_delivery=arrivals)
    await broker.publish(queue.name, text("poison"))
    await (await arrivals.next()).settle(Settlement.REQUEUE)
    await (await arrivals.next()).settle(Settlement.DEAD_LETTER, reason="ne: neumím to 🐎")
    (letter,) = await broker.dead_letters(queue.name)
    assert (letter.queue, letter.reason, letter.attempt) == (queue.name, "ne: neumím to 🐎", 2)
    assert letter.message == text("poison")
    assert abs(datetime.now(UTC) - letter.died_at) < timedelta(seconds=10)


async def test_a_reason_that_is_no_proper_text_is_kept_as_far_as_it_is(broker, queue):
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=1, on_delivery=arrivals)
    await broker.publish(queue.name, text("poison"))
    await (await arrivals.next()).settle(Settlement.DEAD_LETTER, reason="quotes '\ud800'")
    (letter,) = await eventually(lambda: broker.dead_letters(queue.name), bool)
    assert letter.reason == "quotes '?'"


async def test_listing_removes_nothing_and_shows_the_oldest_first(broker, queue):
    await bury(broker, queue, "a", "b", "c")
    first = await broker.dead_letters(queue.name)
    assert [letter.message.body for letter in first] == [b"a", b"b", b"c"]
    assert [letter.reason for letter in first] == ["bad a", "bad b", "bad c"]
    assert await broker.dead_letters(queue.name) == first
    assert list(await broker.dead_letters(queue.name, limit=2)) == list(first[:2])
    assert (await broker.stats(queue.name)).dead == 3


async def test_a_replayed_dead_letter_starts_anew_and_only_once(broker, queue):
    await bury(broker, queue, "a", "b")
    letters = await broker.dead_letters(queue.name)
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=5, on_delivery=arrivals)
    buried_at = datetime.now(UTC)
    assert await broker.replay_dead_letters(queue.name, DeadLetterChoice.of([letters[1].id, "unknown"])) == 1
    assert await broker.replay_dead_letters(queue.name, DeadLetterChoice.of([letters[1].id])) == 0
    delivery = await arrivals.next()
    assert delivery.message == text("b")
    assert delivery.published_at < buried_at
    assert (delivery.attempt, delivery.redelivered) == (1, False)
    await delivery.settle(Settlement.ACK)
    assert [letter.id for letter in await broker.dead_letters(queue.name)] == [letters[0].id]
    assert arrivals.waiting == 0


async def test_a_discarded_dead_letter_is_gone_and_only_once(broker, queue):
    await bury(broker, queue, "a", "b", "c")
    letters = await broker.dead_letters(queue.name)
    ids = [letters[0].id, letters[2].id]
    assert await broker.discard_dead_letters(queue.name, DeadLetterChoice.of(ids)) == 2
    assert await broker.discard_dead_letters(queue.name, DeadLetterChoice.of(ids)) == 0
    assert [letter.message.body for letter in await broker.dead_letters(queue.name)] == [b"b"]
    assert (await broker.stats(queue.name)).ready == 0


async def test_concurrent_replays_replay_each_once(broker, queue):
    await bury(broker, queue, "a", "b", "c")
    ids = [letter.id for letter in await broker.dead_letters(queue.name)]
    counts = await asyncio.gather(
        *(broker.replay_dead_letters(queue.name, DeadLetterChoice.of(ids)) for _ in range(3))
    )
    assert sum(counts) == 3
    assert (await broker.stats(queue.name)).ready == 3


async def test_a_dead_letter_does_not_expire_nor_does_its_replay(broker, queue):
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=1, on_delivery=arrivals)
    expires_at = datetime.now(UTC) + timedelta(seconds=0.3)
    await broker.publish(queue.name, Message(type="test.v1", body=b"short", expires_at=expires_at))
    await (await arrivals.next()).settle(Settlement.DEAD_LETTER, reason="no")
    await until(expires_at + timedelta(seconds=0.1))
    (letter,) = await broker.dead_letters(queue.name)
    assert letter.message.body == b"short"
    await broker.replay_dead_letters(queue.name, DeadLetterChoice.of([letter.id]))
    replayed = await arrivals.next()
    assert (replayed.message.body, replayed.message.expires_at) == (b"short", None)
    await replayed.settle(Settlement.ACK)


async def test_stats_count_what_waits_and_who_consumes(broker, queue):
    empty = await broker.stats(queue.name)
    assert (empty.ready, empty.consumers, empty.dead, empty.paused) == (0, 0, 0, False)
    assert empty.oldest_age_s is None
    await broker.publish(queue.name, text("old"))
    await broker.publish(queue.name, text("young"))
    waiting = await eventually(
        lambda: broker.stats(queue.name), lambda stats: (stats.oldest_age_s or 0) > 0.2
    )
    assert waiting.ready == 2
    assert 0.2 < waiting.oldest_age_s < 20
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=1, on_delivery=arrivals)
    held = await arrivals.next()
    seen = await eventually(lambda: broker.stats(queue.name), lambda stats: stats.consumers == 1)
    assert seen.ready == 1
    assert seen.in_flight in (None, 1)
    await held.settle(Settlement.ACK)
    await (await arrivals.next()).settle(Settlement.ACK)


async def test_a_look_without_the_age_leaves_no_trace(broker, queue):
    await broker.publish(queue.name, text("waits"))
    assert (await broker.stats(queue.name, with_age=False)).ready == 1
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=1, on_delivery=arrivals)
    delivery = await arrivals.next()
    assert (delivery.attempt, delivery.redelivered) == (1, False)
    await delivery.settle(Settlement.ACK)


async def test_a_look_at_a_queue_counts_as_one_attempt_at_most(broker, queue):
    await broker.publish(queue.name, text("looked at"))
    for _ in range(5):
        assert (await broker.stats(queue.name)).ready == 1
    arrivals = Arrivals()
    await broker.subscribe(queue.name, prefetch=1, on_delivery=arrivals)
    delivery = await arrivals.next()
    assert delivery.attempt <= 2
    await delivery.settle(Settlement.ACK)


async def test_a_paused_queue_gives_nothing_to_any_consumer_until_it_resumes(connect, topology, queue):
    operator, worker = await connect(topology), await connect(topology)
    arrivals = Arrivals()
    await worker.subscribe(queue.name, prefetch=5, on_delivery=arrivals)
    await worker.publish(queue.name, text("in flight"))
    in_flight = await arrivals.next()
    await operator.pause(queue.name)
    await operator.pause(queue.name)
    assert (await operator.stats(queue.name)).paused
    await operator.subscribe(queue.name, prefetch=5, on_delivery=arrivals)
    await _settled_down(worker, queue, arrivals)
    await worker.publish(queue.name, text("waits"))
    await in_flight.settle(Settlement.ACK)
    assert (await operator.stats(queue.name)).ready == 2
    assert arrivals.waiting == 0
    await operator.resume(queue.name)
    assert not (await operator.stats(queue.name)).paused
    deliveries = await arrivals.take(2)
    assert {delivery.message.body for delivery in deliveries} == {b"probe", b"waits"}
    for delivery in deliveries:
        await delivery.settle(Settlement.ACK)


async def _settled_down(broker, queue, arrivals) -> None:
    """Wait until every running consumer has heard of the pause: a probe that is offered stays there."""
    while True:
        await broker.publish(queue.name, text("probe"))
        try:
            await (await arrivals.next(0.5)).settle(Settlement.ACK)
        except TimeoutError:
            return


async def test_a_pause_outlives_everybody_who_was_connected(connect, topology, queue, broker):
    await broker.pause(queue.name)
    await broker.publish(queue.name, text("waits"))
    await broker.close()
    again, arrivals = await connect(topology), Arrivals()
    await again.subscribe(queue.name, prefetch=5, on_delivery=arrivals)
    stats = await again.stats(queue.name)
    assert (stats.paused, stats.ready) == (True, 1)
    assert arrivals.waiting == 0
    await again.resume(queue.name)
    delivery = await arrivals.next()
    assert delivery.message.body == b"waits"
    await delivery.settle(Settlement.ACK)
