"""Replies and broadcasts: transient, in order, at most once."""

import asyncio

import pytest

from shared.errors import PayloadTooLargeError
from shared.messaging.broker import Message, Settlement
from tests.contract.broker.collector import Arrivals


def nothing_lost() -> None:
    """Replies that may be lost concern no test here."""


def text(body: str) -> Message:
    return Message(type="test.v1", body=body.encode())


async def test_a_request_is_answered_at_its_reply_address(connect, topology, queue):
    client, server = await connect(topology), await connect(topology)
    requests, replies = Arrivals(), Arrivals()
    await server.subscribe(queue.name, prefetch=5, on_delivery=requests)
    inbox = await client.open_inbox(replies, nothing_lost)
    await client.publish(
        queue.name, Message(type="ask.v1", body=b"?", reply_to=inbox.address, correlation_id="42")
    )
    request = await requests.next()
    await server.reply(
        request.message.reply_to,
        Message(
            type="answer.v1",
            body="žár \\u0000".encode(),
            correlation_id=request.message.correlation_id,
            headers={"traceparent": "00-1"},
        ),
    )
    await request.settle(Settlement.ACK)
    reply = await replies.next()
    assert (reply.type, reply.body, reply.correlation_id) == ("answer.v1", "žár \\u0000".encode(), "42")
    assert dict(reply.headers) == {"traceparent": "00-1"}


async def test_streamed_replies_arrive_in_the_order_they_were_sent(connect, topology):
    client, server = await connect(topology), await connect(topology)
    replies = Arrivals()
    inbox = await client.open_inbox(replies, nothing_lost)
    for number in range(200):
        await server.reply(inbox.address, text(str(number)))
    assert [int(reply.body) for reply in await replies.take(200)] == list(range(200))


async def test_a_large_reply_arrives_whole_and_in_its_place(connect, topology):
    client, server = await connect(topology), await connect(topology)
    replies = Arrivals()
    inbox = await client.open_inbox(replies, nothing_lost)
    bodies = ["first", "ä" * 100_000, "last"]
    for body in bodies:
        await server.reply(inbox.address, text(body))
    assert [reply.body.decode() for reply in await replies.take(3)] == bodies


async def test_each_inbox_gets_its_own_replies(broker):
    ours, theirs = Arrivals(), Arrivals()
    one = await broker.open_inbox(ours, nothing_lost)
    two = await broker.open_inbox(theirs, nothing_lost)
    assert one.address != two.address
    await broker.reply(one.address, text("one"))
    await broker.reply(two.address, text("two"))
    assert (await ours.next()).body == b"one"
    assert (await theirs.next()).body == b"two"


async def test_a_reply_to_an_address_that_is_gone_vanishes(broker):
    replies = Arrivals()
    inbox = await broker.open_inbox(Arrivals(), nothing_lost)
    await inbox.close()
    await broker.reply(inbox.address, text("too late"))
    other = await broker.open_inbox(replies, nothing_lost)
    await broker.reply(other.address, text("in time"))
    assert (await replies.next()).body == b"in time"


async def test_a_broadcast_reaches_everybody_who_listens_the_sender_too(connect, topology):
    brokers = [await connect(topology) for _ in range(3)]
    heard = [Arrivals() for _ in brokers]
    for broker, arrivals in zip(brokers, heard, strict=True):
        await broker.listen(arrivals)
    await brokers[0].broadcast(Message(type="control.v1", body=b"all", headers={"k": "v"}))
    for arrivals in heard:
        message = await arrivals.next()
        assert (message.type, message.body, dict(message.headers)) == ("control.v1", b"all", {"k": "v"})


async def test_pausing_is_not_heard_as_a_broadcast(connect, topology, queue):
    one, two = await connect(topology), await connect(topology)
    heard = Arrivals()
    await two.listen(heard)
    await one.pause(queue.name)
    await one.resume(queue.name)
    await one.broadcast(text("marker"))
    assert (await heard.next()).body == b"marker"


async def test_a_broadcast_over_the_limit_is_refused(broker):
    with pytest.raises(PayloadTooLargeError, match="7000"):
        await broker.broadcast(Message(type="control.v1", body=b"x" * 7_001))
    heard = Arrivals()
    await broker.listen(heard)
    await broker.broadcast(Message(type="control.v1", body=b"x" * 7_000))
    assert len((await heard.next()).body) == 7_000


async def test_replies_of_many_senders_at_once_keep_the_order_of_each(connect, topology):
    client, server = await connect(topology), await connect(topology)
    replies = Arrivals()
    inbox = await client.open_inbox(replies, nothing_lost)

    async def stream(sender: int) -> None:
        for number in range(50):
            await server.reply(
                inbox.address, Message(type="t", body=str(number).encode(), correlation_id=str(sender))
            )

    await asyncio.gather(*(stream(sender) for sender in range(10)))
    got = await replies.take(500)
    for sender in range(10):
        numbers = [int(reply.body) for reply in got if reply.correlation_id == str(sender)]
        assert numbers == list(range(50))


async def test_a_broker_that_answers_can_be_pinged(broker):
    async with asyncio.timeout(1.5):
        await broker.ping()
