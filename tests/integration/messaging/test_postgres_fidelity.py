"""What goes in comes out, byte for byte, through jsonb and through notifications."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import MalformedMessageError, PayloadTooLargeError
from shared.messaging.broker import MAX_BODY_BYTES, Message
from shared.messaging.requests import Requester
from tests.integration.messaging.conftest import WORK, Taken, until

BODIES = {
    "key order and spaces": b'{"z": 1,  "a": 1.0, "a": 2, "n": 1e400}',
    "escaped NUL and lone surrogate": rb'{"text": "a\u0000b \ud800"}',
    "real NUL": b"a\0b",
    "not UTF-8": b"\xff\xfe\x80",
    "umlauts and emoji": '{"text": "Überfälle 🚰"}'.encode(),
    "empty": b"",
    "two lines": b'{"head": 1}\n{"body": 2}\r\n',
    "as large as allowed": ("🚰é" * (MAX_BODY_BYTES // 6)).encode(),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_a_body_comes_back_unchanged_from_a_queue_and_as_a_reply(broker, body):
    message = Message(
        type="t.v1",
        body=body,
        headers={"traceparent": "00-ä-\n"},
        correlation_id="c 1",
        expires_at=datetime.now(UTC) + timedelta(minutes=5),
    )
    taken = Taken()
    await broker.subscribe(WORK, prefetch=1, on_delivery=taken)
    await broker.publish("work.a", message)
    assert (await taken.next()).message == message
    async with Requester(broker) as requester:
        with requester.expect("c 1") as replies:
            await broker.reply(requester.address, message)
            assert await replies.next(10) == message


async def test_one_message_that_cannot_be_kept_spoils_no_other(broker):
    good = [broker.publish("work.a", Message(type="t.v1", body=b"{}")) for _ in range(5)]
    bad = broker.publish("work.a", Message(type="t.v1", body=b"{}", headers={"h": "a\0b"}))
    large = broker.publish("work.a", Message(type="t.v1", body=b"x" * (MAX_BODY_BYTES + 1)))
    *done, refused, too_large = await asyncio.gather(*good, bad, large, return_exceptions=True)
    assert done == [None] * 5
    assert isinstance(refused, MalformedMessageError)
    assert isinstance(too_large, PayloadTooLargeError)
    assert (await broker.stats(WORK)).ready == 5


async def test_replies_of_one_sender_keep_their_order_large_and_small_equal_and_not(broker):
    async with Requester(broker) as requester:
        with requester.expect("c") as replies:
            bodies = [b"same", b"same", b"L" * 50_000, b"same", "é".encode() * 8000, b"last"]
            sends = (
                broker.reply(requester.address, Message(type="t.v1", body=body, correlation_id="c"))
                for body in bodies
            )
            await asyncio.gather(*sends)
            assert [(await replies.next(10)).body for _ in bodies] == bodies


async def test_a_reply_to_an_address_that_is_gone_is_no_error(broker):
    inbox = await broker.open_inbox(lambda _: None, lambda: None)
    await inbox.close()
    await broker.reply(inbox.address, Message(type="t.v1", body=b"late"))
    await broker.reply("somebody else's channel", Message(type="t.v1", body=b"late"))


async def test_a_row_that_somebody_else_wrote_is_dead_lettered(broker, database_url):
    import asyncpg

    connection = await asyncpg.connect(database_url)
    await connection.execute("""SELECT pgmq.send('work_v1', '{"by": "hand"}')""")
    await connection.close()
    taken = Taken()
    await broker.subscribe(WORK, prefetch=10, on_delivery=taken)
    await broker.publish("work.a", Message(type="t.v1", body=b"ours"))
    assert (await taken.next()).message.body == b"ours"

    async def is_buried():
        return (await broker.stats(WORK)).dead == 1

    await until(is_buried)
    [dead] = await broker.dead_letters(WORK)
    assert dead.message.body == b'{"by": "hand"}'
    assert "not a message" in dead.reason
