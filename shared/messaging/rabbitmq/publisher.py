"""Publishing: confirmed to queues, unconfirmed to inboxes and listeners."""

import asyncio

from shared.errors import (
    BrokerUnavailableError,
    MalformedMessageError,
    PublishOutcomeUnknownError,
    UnroutableMessageError,
)
from shared.messaging.amqp.channel import Channel
from shared.messaging.amqp.errors import AmqpError, ConnectionLostError, UnroutableError
from shared.messaging.amqp.properties import Properties
from shared.messaging.rabbitmq.channel import KeptChannel, Prepare
from shared.messaging.rabbitmq.link import Link

DEFAULT_EXCHANGE = ""
"""Routes to the queue that has the name of the routing key."""
UNSPELLABLE = "a property of the message is too long for AMQP, or is no text"


async def _nothing(_channel: Channel) -> None:
    """Prepare nothing."""


class Publisher:
    """Everything that a process sends, over one connection; acknowledgements take the other one.

    Args:
        link: The connection.
        timeout_s: Bound of every call, reconnecting included.
        declare: Declares the topology on each fresh channel.
    """

    def __init__(self, link: Link, *, timeout_s: float, declare: Prepare) -> None:
        self._link = link
        self._timeout_s = timeout_s
        self._confirmed = KeptChannel(link, declare, confirm_timeout_s=timeout_s)
        self._unconfirmed = KeptChannel(link, _nothing)

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        """Wait, without end, until something can be published."""
        self._confirmed.start(tasks)
        self._unconfirmed.start(tasks)
        await self._confirmed.first_ready()
        await self._unconfirmed.first_ready()

    async def close(self) -> None:
        """Flush and close."""
        await self._confirmed.close()
        await self._unconfirmed.close()

    async def publish(self, exchange: str, routing_key: str, body: bytes, properties: Properties) -> None:
        """Publish and wait for the confirm; concurrent calls do not wait for each other's.

        Raises:
            UnroutableMessageError: No queue takes it.
            MalformedMessageError: A property cannot be spelled; not published.
            BrokerUnavailableError: Certainly not published.
            PublishOutcomeUnknownError: The confirm did not come; it may be published.
        """
        channel = self._confirmed.current
        if channel is not None and self._takes(channel):  # bounded by the channel's own timer
            await _confirmed(channel, exchange, routing_key, body, properties)
            return
        sent = False
        try:
            async with asyncio.timeout(self._timeout_s):
                channel = await self._open(self._confirmed)
                sent = True
                await _confirmed(channel, exchange, routing_key, body, properties)
        except TimeoutError as error:
            if sent:
                raise PublishOutcomeUnknownError("RabbitMQ did not confirm in time") from error
            raise BrokerUnavailableError("RabbitMQ takes nothing") from error

    async def send(self, exchange: str, routing_key: str, body: bytes, properties: Properties) -> None:
        """Publish without a confirm; returns when it is on its way.

        Raises:
            BrokerUnavailableError: Not sent.
            MalformedMessageError: A property cannot be spelled.
        """
        channel = await self.outgoing()
        try:
            channel.post(exchange, routing_key, properties, body)
        except AmqpError as error:
            raise BrokerUnavailableError(f"RabbitMQ: {error}") from error
        except ValueError as error:
            raise MalformedMessageError(UNSPELLABLE) from error

    def post(self, exchange: str, routing_key: str, properties: Properties, body: bytes) -> None:
        """Publish without a confirm, at once.

        Raises:
            AmqpError: There is no connection.
        """
        channel = self._unconfirmed.current
        if channel is None:
            raise ConnectionLostError("there is no connection to RabbitMQ")
        channel.post(exchange, routing_key, properties, body)

    async def outgoing(self) -> Channel:
        """Return a channel that takes unconfirmed messages now.

        Raises:
            BrokerUnavailableError: None within the time limit.
        """
        channel = self._unconfirmed.current
        if channel is not None and self._takes(channel):
            return channel
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._open(self._unconfirmed)
        except TimeoutError as error:
            raise BrokerUnavailableError("RabbitMQ takes nothing") from error

    def _takes(self, channel: Channel) -> bool:
        return not (channel.is_closed or channel.full or self._link.blocked)

    async def _open(self, kept: KeptChannel) -> Channel:
        while True:
            channel = kept.current
            if channel is None or channel.is_closed:
                channel = await kept.ready(self._timeout_s)
            if self._link.blocked:
                raise BrokerUnavailableError(
                    "RabbitMQ is short of memory or of disk and takes nothing", retry_after_s=5.0
                )
            if self._takes(channel):
                return channel
            await channel.room()


async def _confirmed(
    channel: Channel, exchange: str, routing_key: str, body: bytes, properties: Properties
) -> None:
    try:
        confirm = channel.publish(exchange, routing_key, properties, body)
    except AmqpError as error:
        raise BrokerUnavailableError(f"the connection to RabbitMQ broke: {error}") from error
    except ValueError as error:
        raise MalformedMessageError(UNSPELLABLE) from error
    try:
        await confirm
    except UnroutableError as error:
        raise UnroutableMessageError(f"no queue is bound to {routing_key!r}") from error
    except AmqpError as error:
        raise PublishOutcomeUnknownError(f"RabbitMQ did not confirm: {error}") from error
