"""A running consumption of one queue."""

import asyncio
from functools import partial
from uuid import uuid4

import structlog

from shared.errors import BrokerUnavailableError, PenstockError
from shared.messaging.amqp.channel import Channel
from shared.messaging.amqp.incoming import Incoming
from shared.messaging.broker import OnDelivery, Settlement
from shared.messaging.rabbitmq.channel import KeptChannel
from shared.messaging.rabbitmq.declarations import declare_queue
from shared.messaging.rabbitmq.delivery import RabbitDelivery, now_ms
from shared.messaging.rabbitmq.failures import bounded
from shared.messaging.rabbitmq.link import Link
from shared.messaging.rabbitmq.pauses import Pauses
from shared.messaging.rabbitmq.publisher import Publisher
from shared.messaging.rabbitmq.wire import COPY, EXPIRES_AT, raw_headers, read_number, read_text
from shared.messaging.topology import Queue

_log = structlog.get_logger(__name__)

_CHANGE_TIMEOUT_S = 5.0


class RabbitSubscription:
    """Consumes on a channel of its own; follows reconnects and pauses.

    Args:
        queue: What to consume.
        prefetch: Most unsettled deliveries at a time.
        on_delivery: Gets each one.
        link: The connection.
        publisher: For copies with a raised count of attempts.
        pauses: Tells whether the queue is paused.
        tasks: Where background work of this subscription runs.
    """

    def __init__(
        self,
        queue: Queue,
        *,
        prefetch: int,
        on_delivery: OnDelivery,
        link: Link,
        publisher: Publisher,
        pauses: Pauses,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.queue = queue
        self._prefetch = prefetch
        self._on_delivery = on_delivery
        self._link = link
        self._publisher = publisher
        self._pauses = pauses
        self._tasks = tasks
        self._kept = KeptChannel(link, self._prepare)
        self._consumer_tag: str | None = None
        self._changing = asyncio.Lock()
        self._recounting: dict[str, RabbitDelivery | None] = {}
        self._stopped = False
        self._resting = False

    async def start(self, patience_s: float) -> None:
        """Begin; returns when it consumes, or after ``patience_s`` with the rest left to the background."""
        self._kept.start(self._tasks)
        try:
            await self._kept.ready(patience_s)
        except BrokerUnavailableError as error:
            _log.warning("subscription waits", queue=self.queue.name, reason=error.message)

    async def stop(self) -> None:
        """Take no further deliveries; the channel stays, so that those in hand can be settled."""
        self._stopped = True
        self._kept.forget()
        await self.follow()

    async def rest(self) -> None:
        """Take no deliveries until :meth:`go_on`."""
        self._resting = True
        await self.follow()

    async def go_on(self) -> None:
        """Take deliveries again."""
        self._resting = False
        await self.follow()

    async def close(self) -> None:
        """Stop, and give back everything that is not settled."""
        self._stopped = True
        await self._kept.close()

    async def follow(self) -> None:
        """Consume, or not, as the state of the queue and of this subscription demand."""
        channel = self._kept.current
        if channel is None:
            return
        try:
            async with bounded(_CHANGE_TIMEOUT_S):
                await self._apply(channel)
        except BrokerUnavailableError as error:
            _log.warning("subscription not changed", queue=self.queue.name, reason=error.message)

    async def _prepare(self, channel: Channel) -> None:
        self._consumer_tag = None
        channel.on_cancelled = channel.abandon  # start over: the queue was deleted, or its leader moved
        await declare_queue(channel, self.queue)
        await channel.prefetch(self._prefetch)
        await self._apply(channel)

    async def _apply(self, channel: Channel) -> None:
        async with self._changing:
            idle = self._stopped or self._resting
            wanted = not idle and not await self._pauses.paused(self.queue.name)
            if wanted and self._consumer_tag is None:
                arrived = partial(self._arrived, channel)
                self._consumer_tag = await channel.consume(self.queue.name, arrived)
            elif not wanted and self._consumer_tag is not None:
                tag, self._consumer_tag = self._consumer_tag, None
                await channel.cancel(tag)

    def _arrived(self, channel: Channel, raw: Incoming) -> None:
        delivery = RabbitDelivery(
            raw, channel=channel, queue=self.queue.name, link=self._link, publisher=self._publisher
        )
        headers = raw_headers(raw)
        expires_at_ms = read_number(headers, EXPIRES_AT)
        if expires_at_ms is not None and expires_at_ms <= now_ms():
            self._tasks.create_task(self._drop(delivery))
        elif raw.redelivered:
            self._tasks.create_task(self._recount(delivery))
        elif (copy_id := read_text(headers, COPY)) in self._recounting:
            self._recounting[copy_id] = delivery
        else:
            self._on_delivery(delivery)

    async def _drop(self, delivery: RabbitDelivery) -> None:
        """Acknowledge what expired on its way here."""
        try:
            await delivery.settle(Settlement.ACK)
        except PenstockError as error:
            _log.warning("expired delivery not dropped", queue=self.queue.name, reason=error.message)

    async def _recount(self, delivery: RabbitDelivery) -> None:
        """Replace what an earlier consumer had and did not settle by a copy with that counted.

        The copy may arrive here before its original is acknowledged. It is held back until then: a message
        that kills its consumer would otherwise be there twice after each time.
        """
        copy_id = uuid4().hex
        self._recounting[copy_id] = None
        try:
            await delivery.recount(copy_id)
        except PenstockError as error:
            _log.warning("redelivery not counted", queue=self.queue.name, reason=error.message)
        finally:
            early = self._recounting.pop(copy_id)
            if early is not None:
                self._on_delivery(early)
