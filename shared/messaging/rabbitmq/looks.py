"""Looks at a queue without consuming it."""

from collections.abc import Mapping, Sequence

from shared.errors import NotFoundError
from shared.messaging.amqp.errors import NOT_FOUND, ChannelClosedError
from shared.messaging.broker import Depth, QueueStats
from shared.messaging.rabbitmq.channel import passing_channel
from shared.messaging.rabbitmq.declarations import count_queue, dead_queue
from shared.messaging.rabbitmq.delivery import now_ms
from shared.messaging.rabbitmq.giving_back import give_back
from shared.messaging.rabbitmq.link import Link
from shared.messaging.rabbitmq.pauses import Pauses
from shared.messaging.rabbitmq.wire import raw_headers, read_standing

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
            counted = await count_queue(channel, queue)
            dead = await count_queue(channel, dead_queue(queue))
        except ChannelClosedError as error:
            if error.code != NOT_FOUND:
                raise
            raise NotFoundError(f"There is no queue {queue!r}.") from error
        oldest_age_s = None
        if with_age and counted.messages:
            first = await channel.get(queue)
            if first is not None:
                now = now_ms()
                oldest_age_s = (
                    max(0, now - read_standing(raw_headers(first), now_ms=now).published_at_ms) / 1000
                )
                await give_back(channel, queue, waited=counted.messages)
    return QueueStats(
        ready=counted.messages,
        in_flight=None,
        consumers=counted.consumers,
        oldest_age_s=oldest_age_s,
        dead=dead.messages,
        paused=await pauses.paused(queue),
    )


async def look_at_depths(link: Link, queues: Sequence[str]) -> Mapping[str, Depth]:
    """Count many queues over one channel; a paused queue has no consumers, for they leave it.

    Raises:
        NotFoundError: One of them does not exist.
        BrokerUnavailableError: The broker does not answer.
    """
    depths: dict[str, Depth] = {}
    async with passing_channel(link, TIMEOUT_S) as channel:
        for queue in queues:
            try:
                counted = await count_queue(channel, queue)
            except ChannelClosedError as error:
                if error.code != NOT_FOUND:
                    raise
                raise NotFoundError(f"There is no queue {queue!r}.") from error
            depths[queue] = Depth(ready=counted.messages, consumers=counted.consumers, oldest_age_s=None)
    return depths
