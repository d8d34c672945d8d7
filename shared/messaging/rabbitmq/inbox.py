"""Private queues of one process: its inboxes, and its ear for broadcasts."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

from shared.messaging.amqp.channel import Channel
from shared.messaging.amqp.incoming import Incoming
from shared.messaging.broker import OnMessage
from shared.messaging.rabbitmq.channel import KeptChannel
from shared.messaging.rabbitmq.declarations import CONTROL_EXCHANGE, declare_private_queue
from shared.messaging.rabbitmq.link import Link
from shared.messaging.rabbitmq.replies import replies_in


class PrivateQueue:
    """An exclusive queue that keeps its name over reconnects, consumed without acknowledgements.

    Args:
        link: The connection that owns the queue: it vanishes with it.
        kind: Part of the queue's name.
        on_message: Gets each message.
        on_lost: Called when the connection broke, and messages may have been lost.
        on_ready: Called each time that it listens again.
        exchange: Fanout exchange to bind to, or None for a queue that is addressed by its name.
    """

    def __init__(
        self,
        link: Link,
        kind: str,
        on_message: OnMessage,
        *,
        on_lost: Callable[[], None] | None = None,
        on_ready: Callable[[], None] | None = None,
        exchange: str | None = None,
    ) -> None:
        self.address = f"penstock.{kind}.{uuid4().hex}"
        self._on_message = on_message
        self._on_ready = on_ready
        self._exchange = exchange
        self._kept = KeptChannel(link, self._prepare, on_lost=on_lost)

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Begin to listen."""
        self._kept.start(tasks)

    async def ready(self, patience_s: float) -> None:
        """Wait until it listens; raises BrokerUnavailableError after ``patience_s`` seconds."""
        await self._kept.ready(patience_s)

    async def first_ready(self) -> None:
        """Wait until it listens, without end."""
        await self._kept.first_ready()

    async def close(self) -> None:
        """Drop the queue."""
        await self._kept.close()

    async def _prepare(self, channel: Channel) -> None:
        await declare_private_queue(channel, self.address, exchange=self._exchange)
        channel.on_cancelled = channel.abandon  # start over: the queue is gone
        await channel.consume(self.address, self._arrived, no_ack=True)
        if self._on_ready is not None:
            self._on_ready()

    def _arrived(self, raw: Incoming) -> None:
        for message in replies_in(raw):
            self._on_message(message)


def ear(link: Link, on_message: OnMessage, on_ready: Callable[[], None]) -> PrivateQueue:
    """Listen to every broadcast; ``on_ready`` may look for what was missed meanwhile."""
    return PrivateQueue(link, "control", on_message, on_ready=on_ready, exchange=CONTROL_EXCHANGE)


def inbox(link: Link, on_reply: OnMessage, on_lost: Callable[[], None]) -> PrivateQueue:
    """Open an address for replies.

    Those who ask while it is away may be answered before it is back, so they are told when it is.
    """
    return PrivateQueue(link, "inbox", on_reply, on_lost=on_lost, on_ready=on_lost)
