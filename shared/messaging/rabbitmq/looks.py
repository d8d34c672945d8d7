"""Looks at a queue without consuming it."""

import aiormq

from shared.errors import NotFoundError
from shared.messaging.broker import QueueStats
from shared.messaging.rabbitmq.channel import passing_channel
from shared.messaging.rabbitmq.declarations import dead_queue
from shared.messaging.rabbitmq.delivery import now_ms
from shared.messaging.rabbitmq.link import Link
from shared.messaging.rabbitmq.pauses import Pauses
from shared.messaging.rabbitmq.wire import read_standing

TIMEOUT_S = 5.0


async def look(link: Link, pauses: Pauses, queue: str, *, with_age: bool) -> QueueStats:
    """Count a queue.

    AMQP tells how many messages wait and how many consumers there are, not how many are in flight, and
    not how old the oldest is. To learn its age, the first message is taken and given back. RabbitMQ marks
    that message as redelivered, so its next consumer sees it with ``attempt`` raised, once however often
    it was looked at before, and anew where it came to the head again: in a queue that moves slower than it
    is looked at, messages would use up their attempts. So only who needs the age asks for it.

    Raises:
        NotFoundError: There is no such queue.
        BrokerUnavailableError: The broker does not answer.
    """
    async with passing_channel(link, TIMEOUT_S) as channel:
        try:
            counted = await channel.queue_declare(queue, passive=True)
            dead = await channel.queue_declare(dead_queue(queue), passive=True)
        except aiormq.ChannelNotFoundEntity as error:
            raise NotFoundError(f"There is no queue {queue!r}.") from error
        oldest_age_s = None
        if with_age and counted.message_count:
            first = await channel.basic_get(queue)
            if first.delivery_tag is not None:
                now = now_ms()
                oldest_age_s = max(0, now - read_standing(first, now_ms=now).published_at_ms) / 1000
                await channel.basic_nack(first.delivery_tag, requeue=True)
    return QueueStats(
        ready=counted.message_count or 0,
        in_flight=None,
        consumers=counted.consumer_count or 0,
        oldest_age_s=oldest_age_s,
        dead=dead.message_count or 0,
        paused=await pauses.paused(queue),
    )
