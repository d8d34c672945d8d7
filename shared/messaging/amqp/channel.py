"""A channel: the unit in which AMQP publishes, consumes and fails."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

from shared.messaging.amqp import methods
from shared.messaging.amqp.acknowledgements import Acknowledgements
from shared.messaging.amqp.calls import Calls
from shared.messaging.amqp.confirms import Confirms
from shared.messaging.amqp.errors import SUCCESS, AmqpError, ChannelClosedError
from shared.messaging.amqp.frames import method_frame
from shared.messaging.amqp.incoming import Incoming
from shared.messaging.amqp.methods import Method
from shared.messaging.amqp.properties import Properties
from shared.messaging.amqp.publishing import Publishing
from shared.messaging.amqp.writer import FrameWriter

OnDelivered = Callable[[Incoming], None]


class Channel:
    """One channel; ``Connection.channel`` opens it. ``Receiving`` is its other half.

    Every call raises ChannelClosedError or ConnectionLostError once it is closed. The broker closes a
    channel to refuse what was asked of it.
    """

    def __init__(self, number: int, writer: FrameWriter, *, largest_frame: int) -> None:
        self.number = number
        self.calls = Calls()
        self.consumers: dict[bytes, OnDelivered] = {}
        self.on_cancelled: Callable[[], None] | None = None
        """Called when the broker ends a consumer: its queue was deleted, or its leader moved."""
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Resolves when the channel is gone, whoever ended it."""
        self.publishing = Publishing(number, writer, largest_frame=largest_frame)
        self._writer = writer
        self._acknowledgements = Acknowledgements(number, writer)
        self._tags = count(1)
        self._error: AmqpError | None = None
        self.closing = False
        """Whether this side asked to close, and the answer has not come."""

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._error is not None

    @property
    def full(self) -> bool:
        """Whether the broker takes less than is sent: publishers should wait for :meth:`room`."""
        return self._writer.full

    async def room(self) -> None:
        """Wait until not :attr:`full`; the caller sets the limit of time."""
        await self._writer.room()

    async def call(self, method: Method, *answers: Method, **arguments: object) -> Any:
        """Send a method and wait for one of these answers; returns the arguments of that."""
        self.send(method, **arguments)
        return await self.calls.expect(*answers)

    def send(self, method: Method, **arguments: object) -> None:
        """Send a method that has no answer."""
        self._check_open()
        self._writer.write((method_frame(self.number, method, **arguments),))

    async def confirm_publishes(self, timeout_s: float) -> None:
        """Have the broker confirm what :meth:`publish` sends, each within ``timeout_s`` seconds."""
        await self.call(methods.CONFIRM_SELECT, methods.CONFIRM_SELECT_OK)
        self.publishing.confirms = Confirms(timeout_s)

    def publish(
        self, exchange: str, routing_key: str, properties: Properties, body: bytes
    ) -> asyncio.Future[None]:
        """Send a mandatory message; the result resolves with its confirm.

        When this raises, nothing was sent. The result fails with UnroutableError: it is on no queue; with
        any other AmqpError: it may be.

        Raises:
            ValueError: A property is too long, or no text.
        """
        self._check_open()
        return self.publishing.publish(exchange, routing_key, properties, body)

    def post(self, exchange: str, routing_key: str, properties: Properties, body: bytes) -> None:
        """Send a message that is dropped where no queue takes it, on a channel without confirms.

        Raises:
            ValueError: A property is too long, or no text.
        """
        self._check_open()
        self.publishing.post(exchange, routing_key, properties, body)

    async def prefetch(self, most: int) -> None:
        """Limit the unsettled deliveries of each consumer that begins after this."""
        await self.call(methods.BASIC_QOS, methods.BASIC_QOS_OK, prefetch_count=most)

    async def consume(self, queue: str, on_delivered: OnDelivered, *, no_ack: bool = False) -> str:
        """Consume a queue; returns the tag that :meth:`cancel` wants.

        ``on_delivered`` runs while data is received: it must not block. What it raises is reported to the
        event loop and concerns no other delivery.
        """
        tag = f"c{next(self._tags)}"
        self.consumers[tag.encode()] = on_delivered
        await self.call(
            methods.BASIC_CONSUME,
            methods.BASIC_CONSUME_OK,
            queue=queue,
            consumer_tag=tag,
            no_ack=no_ack,
        )
        return tag

    async def cancel(self, tag: str) -> None:
        """Stop consuming; what arrives before the answer still goes to the consumer."""
        await self.call(methods.BASIC_CANCEL, methods.BASIC_CANCEL_OK, consumer_tag=tag)
        self.consumers.pop(tag.encode(), None)

    async def get(self, queue: str) -> Incoming | None:
        """Take the first message of a queue, or None; it has to be acknowledged."""
        got = await self.call(methods.BASIC_GET, methods.BASIC_GET_OK, methods.BASIC_GET_EMPTY, queue=queue)
        return got if isinstance(got, Incoming) else None

    def ack(self, tag: int) -> None:
        """Acknowledge a delivery, together with others of this turn of the loop."""
        self._check_open()
        self._acknowledgements.add(tag)

    def requeue(self, tag: int) -> None:
        """Give a delivery back to its queue."""
        self.send(methods.BASIC_NACK, delivery_tag=tag, requeue=True)
        self._acknowledgements.skip(tag)

    def requeue_all(self) -> None:
        """Give back everything that is neither acknowledged nor given back."""
        self.flush()
        self.send(methods.BASIC_NACK, delivery_tag=0, multiple=True, requeue=True)

    def flush(self) -> None:
        """Write what was sent, acknowledgements included, before the turn ends."""
        self._writer.flush()

    async def close(self) -> None:
        """Close; the broker gives every unsettled delivery to others."""
        if self._error is None:
            self.abandon()
            await asyncio.wait([self.closed])

    def abandon(self) -> None:
        """Close without waiting for it; nothing happens where it is closed already."""
        if self._error is not None:
            return
        self.flush()
        self.send(methods.CHANNEL_CLOSE, code=SUCCESS)
        self._error = ChannelClosedError(SUCCESS, "closed here")
        self.closing = True
        self.consumers.clear()

    def answer_close(self) -> None:
        """Tell the broker that its closing of the channel was noticed."""
        self._writer.write((method_frame(self.number, methods.CHANNEL_CLOSE_OK),))

    def lose(self, error: AmqpError) -> None:
        """Note that the channel is gone, and tell everybody who waits for something of it."""
        self._error = self._error or error
        self.consumers.clear()
        self._acknowledgements.forget()
        self.calls.fail(error)
        if self.publishing.confirms is not None:
            self.publishing.confirms.lost(error)
        if not self.closed.done():
            self.closed.set_result(None)

    def _check_open(self) -> None:
        if self._error is not None:
            raise self._error.with_traceback(None)
