"""A delivery from RabbitMQ, and how it is settled.

An attempt is counted in the message: where the count changes, a copy with the new count is published to
the same queue, confirmed, and then the original is acknowledged. A crash between the two leaves both, which
is at least once. What RabbitMQ counts itself differs between versions and includes mere looks.
"""

import asyncio
import time
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from shared.errors import BrokerUnavailableError, LeaseLostError, PenstockError
from shared.messaging.amqp.channel import Channel
from shared.messaging.amqp.errors import AmqpError
from shared.messaging.amqp.incoming import Incoming
from shared.messaging.broker import Message, Settlement
from shared.messaging.rabbitmq.declarations import dead_queue
from shared.messaging.rabbitmq.link import Link
from shared.messaging.rabbitmq.publisher import DEFAULT_EXCHANGE, Publisher
from shared.messaging.rabbitmq.wire import (
    REDELIVERED,
    Standing,
    dead_properties,
    message_of,
    moment,
    queued_properties,
    raw_headers,
    read_attempt,
    read_standing,
)

_LONGEST_REASON = 2000
_RECOUNT_PAUSE_S = 1.0


def now_ms() -> int:
    """Return the Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


class RabbitDelivery:
    """One message that this process holds."""

    __slots__ = ("_channel", "_headers", "_link", "_publisher", "_settled", "_tag", "message", "queue")

    def __init__(
        self, raw: Incoming, *, channel: Channel, queue: str, link: Link, publisher: Publisher
    ) -> None:
        self._channel = channel
        self._tag = raw.delivery_tag
        self._link = link
        self._publisher = publisher
        self._settled = False
        self._headers = raw_headers(raw)
        self.queue = queue
        self.message: Message = message_of(raw.properties, raw.body)

    @property
    def attempt(self) -> int:
        """Which delivery to a consumer this is, from 1."""
        return read_attempt(self._headers)

    @property
    def redelivered(self) -> bool:
        """Whether an earlier consumer had it."""
        return REDELIVERED in self._headers

    @property
    def published_at(self) -> datetime:
        """When it was first put on the queue."""
        return moment(self._standing().published_at_ms)

    @property
    def lost(self) -> bool:
        """Whether its channel is gone."""
        return self._channel.is_closed

    async def settle(self, settlement: Settlement, *, reason: str = "") -> None:
        """Decide its fate, once; see the port."""
        if self._settled:
            raise LeaseLostError("this delivery is settled already")
        self._settled = True
        if self.lost:
            raise self._gone()
        if settlement is not Settlement.ACK:
            try:
                await self._pass_on(settlement, reason)
            except PenstockError:
                # Not on its way, or perhaps: the original goes back, and comes again with a raised count.
                self._tell(acknowledge=False)
                return
        self._tell(acknowledge=True)

    async def recount(self, copy_id: str) -> None:
        """Put a copy with the attempt counted in its place; returns when the original is acknowledged.

        Raises:
            BrokerUnavailableError, LeaseLostError, PublishOutcomeUnknownError: The original stays: it comes
                again, and so may a copy.
        """
        properties = queued_properties(self.message, self._counted(), now_ms=now_ms(), copy_id=copy_id)
        self._settled = True
        try:
            await self._publisher.publish(DEFAULT_EXCHANGE, self.queue, self.message.body, properties)
        except PenstockError:
            await asyncio.sleep(_RECOUNT_PAUSE_S)  # it comes again at once
            self._tell(acknowledge=False)
            raise
        self._tell(acknowledge=True)
        self._channel.flush()

    async def _pass_on(self, settlement: Settlement, reason: str) -> None:
        match settlement:
            case Settlement.DEAD_LETTER:
                properties = dead_properties(
                    self.message,
                    self._standing(),
                    identifier=uuid4().hex,
                    reason=reason[:_LONGEST_REASON].encode(errors="replace").decode(),
                    died_at_ms=now_ms(),
                )
                target = dead_queue(self.queue)
            case Settlement.RELEASE:
                properties = queued_properties(self.message, self._standing(), now_ms=now_ms())
                target = self.queue
            case _:
                properties = queued_properties(self.message, self._counted(), now_ms=now_ms())
                target = self.queue
        await self._publisher.publish(DEFAULT_EXCHANGE, target, self.message.body, properties)

    def _standing(self) -> Standing:
        return read_standing(self._headers, now_ms=now_ms())

    def _counted(self) -> Standing:
        return replace(self._standing(), attempt=self.attempt + 1, redelivered=True)

    def _tell(self, *, acknowledge: bool) -> None:
        try:
            if acknowledge:
                self._channel.ack(self._tag)
            else:
                self._channel.requeue(self._tag)
        except AmqpError as error:
            raise self._gone() from error

    def _gone(self) -> LeaseLostError | BrokerUnavailableError:
        if self._link.up:
            return LeaseLostError("the channel of this delivery is gone; it comes again")
        return BrokerUnavailableError("there is no connection to RabbitMQ; the delivery comes again")
