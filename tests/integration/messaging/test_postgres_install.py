"""The database becomes a broker: by many processes at once, once, and again."""

import asyncio

import asyncpg

from shared.messaging.broker import Message
from shared.messaging.postgres import PostgresBroker
from tests.integration.messaging.conftest import OTHER, WORK, Taken


async def test_eight_processes_that_start_at_once_install_it_once(make_broker, database_url):
    brokers: list[PostgresBroker] = [make_broker() for _ in range(8)]
    await asyncio.gather(*(broker.connect() for broker in brokers))
    await asyncio.gather(*(broker.ping() for broker in brokers))
    connection = await asyncpg.connect(database_url)
    queues = await connection.fetch("SELECT queue_name FROM pgmq.meta ORDER BY 1")
    versions = await connection.fetchval("SELECT count(*) FROM penstock_broker.installed")
    await connection.close()
    assert [row["queue_name"] for row in queues] == ["other_v1", "work_v1"]
    assert versions == 1


async def test_connecting_again_leaves_what_is_queued(make_broker):
    first = make_broker()
    await first.connect()
    await first.publish("work.a", Message(type="t.v1", body=b"kept"))
    await first.close()
    second = make_broker()
    await second.connect()
    taken = Taken()
    await second.subscribe(WORK, prefetch=1, on_delivery=taken)
    delivery = await taken.next()
    assert (delivery.message.body, delivery.attempt) == (b"kept", 1)


async def test_a_topic_of_two_queues_reaches_both_in_one_commit(broker):
    await broker.publish("work.both", Message(type="t.v1", body=b"{}"))
    assert (await broker.stats(WORK)).ready == 1
    assert (await broker.stats(OTHER)).ready == 1
