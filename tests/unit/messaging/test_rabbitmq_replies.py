"""Replies to one address travel together when they follow each other closely, in their order, in full."""

from shared.messaging.amqp.channel import Channel
from shared.messaging.amqp.frames import BODY, HEADER, LARGEST_FRAME, METHOD
from shared.messaging.amqp.incoming import Incoming
from shared.messaging.amqp.methods import BASIC_GET_OK, BASIC_PUBLISH, decode, encode
from shared.messaging.broker import MAX_BODY_BYTES, Message
from shared.messaging.rabbitmq.replies import Replies, replies_in
from tests.contract.broker.collector import eventually
from tests.unit.messaging.amqp.wire import Wire


class Outgoing:
    """A publisher whose connection ends in this test; each AMQP message can be looked at."""

    def __init__(self) -> None:
        self._wire = Wire()
        self._channel = Channel(1, self._wire.writer, largest_frame=LARGEST_FRAME)

    async def outgoing(self) -> Channel:
        return self._channel

    def post(self, *arguments) -> None:
        self._channel.post(*arguments)

    def messages(self) -> list[tuple[str, list[Message]]]:
        """Return the address of each AMQP message since the last call, and the replies in it."""
        self._wire.writer.flush()
        sent: list[tuple[str, Incoming]] = []
        for kind, _, payload in self._wire.frames():
            if kind == METHOD:
                arrived = Incoming(BASIC_GET_OK.number, encode(BASIC_GET_OK, delivery_tag=1))
                sent.append((decode(BASIC_PUBLISH, payload)["routing_key"], arrived))
            elif kind == HEADER:
                sent[-1][1].header(payload)
            elif kind == BODY:
                sent[-1][1].piece(payload)
        return [(address, list(replies_in(arrived))) for address, arrived in sent]

    async def next_messages(self) -> list[tuple[str, list[Message]]]:
        """Wait until something is sent."""

        async def look() -> list[tuple[str, list[Message]]]:
            return self.messages()

        return await eventually(look, bool)


def reply(text: str) -> Message:
    return Message(type="t.v1", body=text.encode(), correlation_id=f"c-{text[:9]}", headers={"k": "ü"})


async def test_a_lone_reply_goes_at_once():
    outgoing = Outgoing()
    await Replies(outgoing).send("a", reply("1"))
    assert outgoing.messages() == [("a", [reply("1")])]


async def test_what_follows_closely_waits_a_moment_and_goes_together():
    outgoing = Outgoing()
    replies = Replies(outgoing)
    several = [reply(str(number)) for number in range(5)]
    for one in several:
        await replies.send("a", one)
    assert outgoing.messages() == [("a", several[:1])]
    assert await outgoing.next_messages() == [("a", several[1:])]


async def test_after_a_pause_a_reply_goes_at_once_again():
    outgoing = Outgoing()
    replies = Replies(outgoing)

    async def held() -> list[str]:
        return list(replies._held)

    await replies.send("a", reply("1"))
    await replies.send("a", reply("2"))
    outgoing.messages()
    await outgoing.next_messages()
    await eventually(held, lambda addresses: not addresses)
    await replies.send("a", reply("3"))
    assert outgoing.messages() == [("a", [reply("3")])]


async def test_no_address_waits_for_another():
    outgoing = Outgoing()
    replies = Replies(outgoing)
    await replies.send("a", reply("1"))
    await replies.send("b", reply("2"))
    assert outgoing.messages() == [("a", [reply("1")]), ("b", [reply("2")])]


async def test_what_goes_together_is_no_larger_than_a_message_may_be():
    outgoing = Outgoing()
    replies = Replies(outgoing)
    several = [reply("x" * size) for size in (1, 100_000, 100_000, 100_000, MAX_BODY_BYTES, 1)]
    for one in several:
        await replies.send("a", one)
    replies.close()
    sent = [messages for _, messages in outgoing.messages()]
    assert [len(messages) for messages in sent] == [1, 2, 1, 1, 1]
    assert [message for messages in sent for message in messages] == several


async def test_closing_sends_what_waits():
    outgoing = Outgoing()
    replies = Replies(outgoing)
    await replies.send("a", reply("1"))
    await replies.send("a", reply("2"))
    replies.close()
    assert outgoing.messages() == [("a", [reply("1")]), ("a", [reply("2")])]
