"""Publishing: confirmed to queues, unconfirmed to inboxes and listeners."""

import asyncio

import aiormq
from aiormq import spec

from shared.errors import (
    BrokerUnavailableError,
    PublishOutcomeUnknownError,
    UnroutableMessageError,
)
from shared.messaging.rabbitmq.channel import Channel, KeptChannel, Prepare
from shared.messaging.rabbitmq.failures import cancelled_from_outside, lost
from shared.messaging.rabbitmq.link import Link

DEFAULT_EXCHANGE = ""
"""Routes to the queue that has the name of the routing key."""


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
        self._confirmed = KeptChannel(link, declare, confirms=True)
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

    async def publish(
        self, exchange: str, routing_key: str, body: bytes, properties: spec.Basic.Properties
    ) -> None:
        """Publish and wait for the confirm; concurrent calls do not wait for each other's.

        Raises:
            UnroutableMessageError: No queue takes it.
            BrokerUnavailableError: Certainly not published.
            PublishOutcomeUnknownError: The confirm did not come; it may be published.
        """
        sent = False
        try:
            async with asyncio.timeout(self._timeout_s):
                channel = await self._open(self._confirmed)
                sent = True
                await channel.basic_publish(
                    body,
                    exchange=exchange,
                    routing_key=routing_key,
                    properties=properties,
                    mandatory=True,
                    wait=False,
                )
        except aiormq.PublishError as error:
            raise UnroutableMessageError(f"no queue is bound to {routing_key!r}") from error
        except aiormq.ChannelInvalidStateError as error:
            raise BrokerUnavailableError("the connection to RabbitMQ broke") from error
        except asyncio.CancelledError as error:
            if cancelled_from_outside():
                raise
            raise _failed(sent=sent, reason="connection lost") from error
        except Exception as error:
            if not lost(error):
                raise
            raise _failed(sent=sent, reason=type(error).__name__) from error

    async def send(
        self, exchange: str, routing_key: str, body: bytes, properties: spec.Basic.Properties
    ) -> None:
        """Publish without a confirm; returns when it is on its way.

        Raises:
            BrokerUnavailableError: Not sent.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                channel = await self._open(self._unconfirmed)
                await channel.basic_publish(
                    body, exchange=exchange, routing_key=routing_key, properties=properties, wait=False
                )
        except Exception as error:
            if not lost(error):
                raise
            raise BrokerUnavailableError(f"RabbitMQ: {type(error).__name__}") from error

    async def _open(self, kept: KeptChannel) -> Channel:
        channel = kept.current
        if channel is None or channel.is_closed:
            channel = await kept.ready(self._timeout_s)
        if self._link.blocked:
            raise BrokerUnavailableError(
                "RabbitMQ is short of memory or of disk and takes nothing", retry_after_s=5.0
            )
        return channel


def _failed(*, sent: bool, reason: str) -> BrokerUnavailableError | PublishOutcomeUnknownError:
    if sent:
        return PublishOutcomeUnknownError(f"RabbitMQ did not confirm: {reason}")
    return BrokerUnavailableError(f"there is no connection to RabbitMQ: {reason}")
