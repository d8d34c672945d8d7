"""A delivery from RabbitMQ, and how it is settled.

An attempt is counted in the message: where the count changes, a copy with the new count is published to
the same queue, confirmed, and then the original is acknowledged. A crash between the two leaves both, which
is at least once. What RabbitMQ counts itself differs between versions and includes mere looks.
"""

import asyncio
import time
from datetime import datetime
from uuid import uuid4

from aiormq.abc import AbstractChannel, DeliveredMessage

from shared.errors import BrokerUnavailableError, LeaseLostError, PenstockError
from shared.messaging.broker import Message, Settlement
from shared.messaging.rabbitmq.declarations import dead_queue
from shared.messaging.rabbitmq.failures import LOST
from shared.messaging.rabbitmq.link import Link
from shared.messaging.rabbitmq.publisher import DEFAULT_EXCHANGE, Publisher
from shared.messaging.rabbitmq.wire import (
    Standing,
    dead_properties,
    moment,
    queued_properties,
    read_message,
    read_standing,
)

_LONGEST_REASON = 2000
_RECOUNT_PAUSE_S = 1.0


def now_ms() -> int:
    """Return the Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


class RabbitDelivery:
    """One message that this process holds."""

    __slots__ = ("_channel", "_link", "_publisher", "_settled", "_standing", "_tag", "message", "queue")

    def __init__(self, raw: DeliveredMessage, *, queue: str, link: Link, publisher: Publisher) -> None:
        self._channel: AbstractChannel = raw.channel
        self._tag: int = raw.delivery_tag or 0
        self._link = link
        self._publisher = publisher
        self._settled = False
        self._standing = read_standing(raw, now_ms=now_ms())
        self.queue = queue
        self.message: Message = read_message(raw)

    @property
    def attempt(self) -> int:
        """Which delivery to a consumer this is, from 1."""
        return self._standing.attempt

    @property
    def redelivered(self) -> bool:
        """Whether an earlier consumer had it."""
        return self._standing.redelivered

    @property
    def published_at(self) -> datetime:
        """When it was first put on the queue."""
        return moment(self._standing.published_at_ms)

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
                await self._tell(acknowledge=False)
                return
        await self._tell(acknowledge=True)

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
            await self._tell(acknowledge=False)
            raise
        await self._tell(acknowledge=True, flush=True)

    async def _pass_on(self, settlement: Settlement, reason: str) -> None:
        match settlement:
            case Settlement.DEAD_LETTER:
                properties = dead_properties(
                    self.message,
                    self._standing,
                    identifier=uuid4().hex,
                    reason=reason[:_LONGEST_REASON],
                    died_at_ms=now_ms(),
                )
                target = dead_queue(self.queue)
            case Settlement.RELEASE:
                properties = queued_properties(self.message, self._standing, now_ms=now_ms())
                target = self.queue
            case _:
                properties = queued_properties(self.message, self._counted(), now_ms=now_ms())
                target = self.queue
        await self._publisher.publish(DEFAULT_EXCHANGE, target, self.message.body, properties)

    def _counted(self) -> Standing:
        return Standing(
            published_at_ms=self._standing.published_at_ms,
            attempt=self._standing.attempt + 1,
            redelivered=True,
        )

    async def _tell(self, *, acknowledge: bool, flush: bool = False) -> None:
        try:
            if acknowledge:
                await self._channel.basic_ack(self._tag, wait=flush)
            else:
                await self._channel.basic_nack(self._tag, requeue=True, wait=False)
        except LOST as error:
            raise self._gone() from error

    def _gone(self) -> LeaseLostError | BrokerUnavailableError:
        if self._link.up:
            return LeaseLostError("the channel of this delivery is gone; it comes again")
        return BrokerUnavailableError("there is no connection to RabbitMQ; the delivery comes again")
