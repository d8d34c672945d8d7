"""Replies on their way out; those that follow each other closely travel as one AMQP message.

A broker's work is counted in messages. With hundreds of streams open, one worker sends an ingress thousands
of chunks a second, each of which would be routed, queued and delivered by itself.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct

import structlog

from shared.errors import MalformedMessageError
from shared.messaging.amqp.channel import Channel
from shared.messaging.amqp.errors import AmqpError
from shared.messaging.amqp.incoming import Incoming
from shared.messaging.amqp.properties import Properties, decode_properties, encode_properties
from shared.messaging.broker import MAX_BODY_BYTES, Message
from shared.messaging.rabbitmq.publisher import DEFAULT_EXCHANGE, UNSPELLABLE, Publisher
from shared.messaging.rabbitmq.wire import message_of, transient_properties

_log = structlog.get_logger(__name__)

GATHER_S = 0.002
"""How long a reply may wait for others, if one went to the same address just before it."""

GATHERED = "penstock.gathered.v1"
"""Type of a message whose body is several: of each the sizes of its properties and body, then both."""

_SIZES = Struct(">II")


@dataclass(slots=True)
class _Held:
    """What waits for one address that was written to a moment ago."""

    pieces: list[bytes] = field(default_factory=list)
    size: int = 0


class Replies:
    """Sends replies: the first to an address at once, what follows within 2 ms together.

    Replies to one address keep their order. What waits when the connection breaks is lost, like what is in
    its buffers.

    Args:
        publisher: Over which they go.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._held: dict[str, _Held] = {}

    async def send(self, address: str, message: Message) -> None:
        """Send a reply, or hold it for a moment to send it with others.

        Raises:
            BrokerUnavailableError: Not sent.
            MalformedMessageError: A property cannot be spelled.
        """
        channel = await self._publisher.outgoing()
        try:
            self._send(channel, address, message)
        except ValueError as error:
            raise MalformedMessageError(UNSPELLABLE) from error

    def _send(self, channel: Channel, address: str, message: Message) -> None:
        properties = transient_properties(message)
        held = self._held.get(address)
        if held is None:
            channel.post(DEFAULT_EXCHANGE, address, properties, message.body)
            self._held[address] = _Held()
            self._release_later(address)
            return
        encoded = encode_properties(properties)
        size = _SIZES.size + len(encoded) + len(message.body)
        if held.size + size > MAX_BODY_BYTES:
            self._flush(address, held)
        if size > MAX_BODY_BYTES:
            channel.post(DEFAULT_EXCHANGE, address, properties, message.body)
            return
        held.pieces += (_SIZES.pack(len(encoded), len(message.body)), encoded, message.body)
        held.size += size

    def close(self) -> None:
        """Send what waits."""
        for address, held in self._held.items():
            self._flush(address, held)
        self._held.clear()

    def _release_later(self, address: str) -> None:
        asyncio.get_running_loop().call_later(GATHER_S, self._release, address)

    def _release(self, address: str) -> None:
        held = self._held.get(address)
        if held is None:
            return
        if held.pieces:
            self._flush(address, held)
            self._release_later(address)
        else:
            del self._held[address]

    def _flush(self, address: str, held: _Held) -> None:
        if not held.pieces:
            return
        body = b"".join(held.pieces)
        held.pieces, held.size = [], 0
        try:
            self._publisher.post(DEFAULT_EXCHANGE, address, Properties(type=GATHERED), body)
        except AmqpError as error:
            _log.warning("replies lost with the connection", reason=str(error))


def replies_in(raw: Incoming) -> Iterator[Message]:
    """Read what arrived at an inbox: one reply, or several that were gathered."""
    if raw.properties.type != GATHERED:
        yield message_of(raw.properties, raw.body)
        return
    body, at = raw.body, 0
    while at < len(body):
        properties_size, size = _SIZES.unpack_from(body, at)
        start = at + _SIZES.size
        at = start + properties_size + size
        yield message_of(decode_properties(body, start), body[at - size : at])
