"""What an operator sees and does; what time does to messages that nobody takes."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import NotFoundError
from shared.messaging.broker import Message, Settlement
from shared.messaging.postgres.depths import read_depths
from tests.integration.messaging.conftest import OTHER, WORK, Taken, crash, until


async def _publish(broker, body=b"{}", **more):
    await broker.publish("work.a", Message(type="t.v1", body=body, **more))


async def test_statistics_are_exact(make_broker):
    first, second = make_broker(), make_broker()
    await first.connect()
    await second.connect()
    empty = await first.stats(WORK)
    assert (empty.ready, empty.in_flight, empty.consumers, empty.oldest_age_s) == (0, 0, 0, None)
    for _ in range(5):
        await _publish(first)
    assert (await first.stats(WORK)).oldest_age_s >= 0
    taken = Taken()
    await first.subscribe(WORK, prefetch=1, on_delivery=taken)
    await first.subscribe(WORK, prefetch=1, on_delivery=taken)
    await second.subscribe(WORK, prefetch=1, on_delivery=taken)
    held = [await taken.next() for _ in range(3)]
    stats = await second.stats(WORK)
    assert (stats.ready, stats.in_flight, stats.consumers, stats.dead) == (2, 3, 3, 0)
    assert (await second.stats(OTHER)).consumers == 0
    assert len({delivery.message.body for delivery in held}) == 1
    await crash(second)

    async def is_gone():
        return (await first.stats(WORK)).consumers == 2

    await until(is_gone)


async def test_an_unknown_queue_is_a_clear_error(broker):
    with pytest.raises(NotFoundError, match=r"nowhere\.v1"):
        await broker.stats("nowhere.v1")
    with pytest.raises(NotFoundError):
        await broker.subscribe("nowhere.v1", prefetch=1, on_delivery=Taken())


async def test_a_pause_holds_for_readers_old_and_new_until_the_resume(make_broker, broker):
    taken = Taken()
    await broker.subscribe(WORK, prefetch=10, on_delivery=taken)
    await broker.pause(WORK)
    await broker.pause(WORK)
    await _publish(broker)
    newcomer = make_broker()
    await newcomer.connect()
    await newcomer.subscribe(WORK, prefetch=10, on_delivery=taken)
    await broker.publish("other", Message(type="t.v1", body=b"{}"))
    others = Taken()
    await newcomer.subscribe(OTHER, prefetch=10, on_delivery=others)
    await others.next()
    stats = await newcomer.stats(WORK)
    assert (stats.paused, stats.ready, len(taken)) == (True, 1, 0)
    await newcomer.resume(WORK)
    await (await taken.next()).settle(Settlement.ACK)
    assert not (await broker.stats(WORK)).paused


async def test_a_dead_letter_is_replayed_once_however_many_ask(broker):
    taken = Taken()
    await broker.subscribe(WORK, prefetch=10, on_delivery=taken)
    await _publish(broker, b"poison", headers={"a": "b"})
    delivery = await taken.next()
    await delivery.settle(Settlement.DEAD_LETTER, reason="it always fails \0")
    [dead] = await broker.dead_letters(WORK)
    assert dead.message == delivery.message
    assert (dead.reason, dead.attempt, dead.queue) == ("it always fails ", 1, WORK)
    assert (await broker.stats(WORK)).dead == 1
    asked = [broker.replay_dead_letters(WORK, [dead.id, "999", "not an id"]) for _ in range(8)]
    assert sum(await asyncio.gather(*asked)) == 1
    again = await taken.next()
    assert (again.message, again.attempt, again.published_at) == (
        delivery.message,
        1,
        delivery.published_at,
    )
    await again.settle(Settlement.DEAD_LETTER, reason="still")
    [dead] = await broker.dead_letters(WORK)
    assert await broker.discard_dead_letters(OTHER, [dead.id]) == 0
    assert await broker.discard_dead_letters(WORK, [dead.id]) == 1
    stats = await broker.stats(WORK)
    assert (stats.ready, stats.in_flight, stats.dead, len(taken)) == (0, 0, 0, 0)


async def test_an_expired_message_is_neither_counted_nor_delivered(broker):
    past = datetime.now(UTC) - timedelta(seconds=1)
    await _publish(broker, b"late", expires_at=past)
    assert (await broker.stats(WORK)).ready == 0
    await _publish(broker, b"in time", expires_at=datetime.now(UTC) + timedelta(minutes=1))
    taken = Taken()
    await broker.subscribe(WORK, prefetch=10, on_delivery=taken)
    delivery = await taken.next()
    assert delivery.message.body == b"in time"

    async def only_that_one_is_held():
        return (await broker.stats(WORK)).in_flight == 1

    await until(only_that_one_is_held)


async def test_housekeeping_drops_what_expired_where_nobody_reads(broker, database_url):
    import asyncpg

    past = datetime.now(UTC) - timedelta(seconds=1)
    late = (_publish(broker, str(number).encode(), expires_at=past) for number in range(1500))
    await asyncio.gather(*late, _publish(broker, b"stays"))
    await broker._operations.drop_expired(WORK)
    connection = await asyncpg.connect(database_url)
    left = await connection.fetch("SELECT message #>> '{}' AS body FROM pgmq.q_work_v1")
    await connection.close()
    assert [row["body"] for row in left] == ["stays"]


async def test_a_broadcast_reaches_every_process_that_listens(make_broker):
    brokers = [make_broker() for _ in range(3)]
    heard: list[asyncio.Queue[Message]] = []
    for each in brokers:
        await each.connect()
        heard.append(asyncio.Queue())
        await each.listen(heard[-1].put_nowait)
    message = Message(type="t.v1", body=b'"' * 7000, headers={"h": "x" * 500})
    await brokers[0].broadcast(message)
    async with asyncio.timeout(5):
        assert [await queue.get() for queue in heard] == [message] * 3


@pytest.mark.parametrize("counted", [3, 12, 20])
async def test_a_look_at_a_long_queue_counts_its_beginning_and_reckons_the_rest(broker, counted):
    for _ in range(12):
        await _publish(broker)
    depths = await read_depths(broker._connections, [OTHER, WORK], counted=counted)
    assert (depths[WORK].ready, depths[OTHER].ready) == (12, 0)
    taken = Taken()
    await broker.subscribe(WORK, prefetch=5, on_delivery=taken)
    for _ in range(5):
        await taken.next()
    assert (await read_depths(broker._connections, [WORK], counted=counted))[WORK].ready == 7
