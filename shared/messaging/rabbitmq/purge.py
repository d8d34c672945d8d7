"""Taking away what waits in a queue, a batch at a time."""

import asyncio

from shared.messaging.amqp.channel import Channel
from shared.messaging.amqp.incoming import Incoming
from shared.messaging.broker import OnPurged
from shared.messaging.rabbitmq.channel import passing_channel
from shared.messaging.rabbitmq.link import Link
from shared.messaging.rabbitmq.wire import message_of

TIMEOUT_S = 60.0
BATCH = 200


async def purge(link: Link, queue: str, on_purged: OnPurged, *, limit: int) -> int:
    """Take messages with ``basic.get``, which a pause does not stop; see the port.

    Raises:
        BrokerUnavailableError: The broker does not answer; batches that were handed over before are gone.
    """
    purged = 0
    async with passing_channel(link, TIMEOUT_S) as channel:
        while purged < limit:
            batch = await _next(channel, queue, min(BATCH, limit - purged))
            if not batch:
                break
            await on_purged([message_of(raw.properties, raw.body) for raw in batch])
            for raw in batch:
                channel.ack(raw.delivery_tag)
            channel.flush()
            purged += len(batch)
    return purged


async def _next(channel: Channel, queue: str, most: int) -> list[Incoming]:
    """Ask for many at once: the broker answers in order, and says so when there are no more."""
    taken = await asyncio.gather(*(channel.get(queue) for _ in range(most)))
    return [raw for raw in taken if raw is not None]
