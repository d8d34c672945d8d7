"""RabbitMQ behind the broker port."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from shared.config.settings import BrokerSettings
from shared.errors import BrokerUnavailableError, NotFoundError, PayloadTooLargeError
from shared.messaging.amqp.channel import Channel
from shared.messaging.broker import (
    DeadLetter,
    Depth,
    Message,
    OnDelivery,
    OnMessage,
    OnPurged,
    QueueStats,
)
from shared.messaging.dead_letters import EVERY_DEAD_LETTER, MOST_AT_ONCE, DeadLetterChoice
from shared.messaging.rabbitmq.channel import passing_channel
from shared.messaging.rabbitmq.dead_letters import DeadLetters
from shared.messaging.rabbitmq.declarations import (
    CONTROL_EXCHANGE,
    EXCHANGE,
    declare_topology,
    find_exchange,
)
from shared.messaging.rabbitmq.delivery import now_ms
from shared.messaging.rabbitmq.inbox import PrivateQueue, ear, inbox
from shared.messaging.rabbitmq.link import Link
from shared.messaging.rabbitmq.looks import look, look_at_depths
from shared.messaging.rabbitmq.pauses import Pauses
from shared.messaging.rabbitmq.publisher import Publisher
from shared.messaging.rabbitmq.purge import purge
from shared.messaging.rabbitmq.replies import Replies
from shared.messaging.rabbitmq.subscription import RabbitSubscription
from shared.messaging.rabbitmq.wire import (
    Standing,
    check_size,
    queued_properties,
    transient_properties,
)
from shared.messaging.topology import Queue, Topology

PING_TIMEOUT_S = 1.0
START_PATIENCE_S = 5.0
MAX_BROADCAST_BYTES = 7_000
PAUSES_CHANGED = "penstock.pauses-changed.v1"
"""Broadcast with the name of a queue; for the subscriptions of each process, not for its listeners."""


class RabbitBroker:
    """The broker port on RabbitMQ; see ``shared.messaging.broker.Broker``.

    Two connections: one for what is published, which RabbitMQ stops reading when it is short of memory
    or disk, and one for everything else, so that acknowledgements go on then.

    Args:
        settings: Where the broker is.
        name: Shown by the broker's own tools as the name of the connections.
        topology: The queues to declare.
    """

    def __init__(self, settings: BrokerSettings, *, name: str, topology: Topology) -> None:
        url = settings.url.get_secret_value()
        self._topology = topology
        self._publish_link = Link(url, f"{name} (publish)")
        self._consume_link = Link(url, f"{name} (consume)")
        self._publisher = Publisher(
            self._publish_link, timeout_s=settings.publish_timeout_s, declare=self._declare
        )
        self._replies = Replies(self._publisher)
        self._pauses = Pauses(self._consume_link)
        self._dead_letters = DeadLetters(self._consume_link, self._publisher)
        self._ear = ear(self._consume_link, self._heard, self._look_at_pauses)
        self._listeners: list[OnMessage] = []
        self._subscriptions: list[RabbitSubscription] = []
        self._inboxes: list[PrivateQueue] = []
        self._tasks = asyncio.TaskGroup()
        self._links: list[asyncio.Task[None]] = []

    async def connect(self) -> None:
        """Connect and declare; waits for the broker without end."""
        await self._tasks.__aenter__()
        self._links = [
            self._tasks.create_task(link.run()) for link in (self._publish_link, self._consume_link)
        ]
        self._ear.start(self._tasks)
        await self._publisher.start(self._tasks)
        await self._ear.first_ready()

    async def close(self) -> None:
        """Flush, give back every unsettled delivery, disconnect."""
        await asyncio.gather(
            *(subscription.close() for subscription in self._subscriptions),
            *(private.close() for private in (*self._inboxes, self._ear)),
        )
        self._replies.close()
        await self._publisher.close()
        for task in self._links:
            task.cancel()
        await self._publish_link.close()
        await self._consume_link.close()
        if self._links:
            await self._tasks.__aexit__(None, None, None)

    async def ping(self) -> None:
        """Raise BrokerUnavailableError unless both connections work."""
        if not self._publish_link.up or not self._consume_link.up:
            raise BrokerUnavailableError("there is no connection to RabbitMQ")
        if self._publish_link.blocked:
            raise BrokerUnavailableError("RabbitMQ is short of memory or of disk and takes nothing")
        async with passing_channel(self._consume_link, PING_TIMEOUT_S) as channel:
            await find_exchange(channel, EXCHANGE)

    async def publish(self, topic: str, message: Message) -> None:
        """Put a durable message on every queue bound to the topic; see the port."""
        check_size(message)
        now = now_ms()
        properties = queued_properties(message, Standing(published_at_ms=now), now_ms=now)
        await self._publisher.publish(EXCHANGE, topic, message.body, properties)

    async def subscribe(self, queue: str, *, prefetch: int, on_delivery: OnDelivery) -> RabbitSubscription:
        """Take messages from a queue; see the port."""
        subscription = RabbitSubscription(
            self._known(queue),
            prefetch=prefetch,
            on_delivery=on_delivery,
            link=self._consume_link,
            publisher=self._publisher,
            pauses=self._pauses,
            tasks=self._tasks,
        )
        self._subscriptions.append(subscription)
        await subscription.start(START_PATIENCE_S)
        return subscription

    async def open_inbox(self, on_reply: OnMessage, on_lost: Callable[[], None]) -> PrivateQueue:
        """Open an address for replies; see the port."""
        opened = inbox(self._consume_link, on_reply, on_lost)
        self._inboxes.append(opened)
        opened.start(self._tasks)
        await opened.ready(START_PATIENCE_S)
        return opened

    async def reply(self, address: str, message: Message) -> None:
        """Send to an inbox; see the port."""
        check_size(message)
        await self._replies.send(address, message)

    async def broadcast(self, message: Message) -> None:
        """Send to every process that listens now; see the port."""
        if len(message.body) > MAX_BROADCAST_BYTES:
            raise PayloadTooLargeError(
                f"a broadcast has at most {MAX_BROADCAST_BYTES} bytes, "
                f"this {message.type} has {len(message.body)}"
            )
        await self._publisher.send(CONTROL_EXCHANGE, "", message.body, transient_properties(message))

    async def listen(self, on_message: OnMessage) -> None:
        """Receive every broadcast from now on."""
        self._listeners.append(on_message)

    async def stats(self, queue: str, *, with_age: bool = True) -> QueueStats:
        """Look at a queue; see ``looks.py`` for what the age costs."""
        return await look(self._consume_link, self._pauses, self._known(queue).name, with_age=with_age)

    async def depths(self, queues: Sequence[str]) -> Mapping[str, Depth]:
        """Look at many queues at once; RabbitMQ does not tell ages."""
        return await look_at_depths(self._consume_link, [self._known(queue).name for queue in queues])

    async def pause(self, queue: str) -> None:
        """Stop deliveries of a queue to every consumer, durably."""
        await self._pauses.set(self._known(queue).name)
        await self._tell_pauses_changed(queue)

    async def resume(self, queue: str) -> None:
        """Undo :meth:`pause`."""
        await self._pauses.clear(self._known(queue).name)
        await self._tell_pauses_changed(queue)

    async def purge(self, queue: str, on_purged: OnPurged, *, limit: int) -> int:
        """Take away what waits in a queue; see the port."""
        return await purge(self._consume_link, self._known(queue).name, on_purged, limit=limit)

    async def dead_letters(
        self, queue: str, choice: DeadLetterChoice = EVERY_DEAD_LETTER, *, limit: int = 100, offset: int = 0
    ) -> Sequence[DeadLetter]:
        """List dead letters of a queue, oldest first."""
        return await self._dead_letters.list(self._known(queue).name, choice, limit=limit, offset=offset)

    async def replay_dead_letters(
        self, queue: str, choice: DeadLetterChoice, *, limit: int = MOST_AT_ONCE
    ) -> int:
        """Put dead letters back on their queue; see the port."""
        return await self._dead_letters.replay(self._known(queue).name, choice, limit=limit)

    async def discard_dead_letters(
        self, queue: str, choice: DeadLetterChoice, *, limit: int = MOST_AT_ONCE
    ) -> int:
        """Delete dead letters for good; returns how many there were."""
        return await self._dead_letters.discard(self._known(queue).name, choice, limit=limit)

    def _known(self, queue: str) -> Queue:
        try:
            return self._topology.by_name[queue]
        except KeyError:
            raise NotFoundError(f"There is no queue {queue!r}.") from None

    async def _declare(self, channel: Channel) -> None:
        await declare_topology(channel, self._topology)

    async def _tell_pauses_changed(self, queue: str) -> None:
        await self.broadcast(Message(type=PAUSES_CHANGED, body=queue.encode()))
        await self._follow_pauses(queue)

    def _heard(self, message: Message) -> None:
        if message.type == PAUSES_CHANGED:
            self._tasks.create_task(self._follow_pauses(message.body.decode()))
            return
        for listener in self._listeners:
            listener(message)

    def _look_at_pauses(self) -> None:
        """Catch up with what was broadcast while nobody listened here."""
        if self._subscriptions:
            self._tasks.create_task(self._follow_pauses())

    async def _follow_pauses(self, queue: str | None = None) -> None:
        """Let subscriptions, of one queue or of all, look at the flags again."""
        await asyncio.gather(
            *(one.follow() for one in self._subscriptions if queue is None or one.queue.name == queue)
        )
