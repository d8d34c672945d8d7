"""Giving messages back after a look at them."""

import asyncio

from shared.messaging.amqp.channel import Channel
from shared.messaging.rabbitmq.declarations import count_queue

_PATIENCE_S = 0.2
_PAUSE_S = 0.002


async def give_back(channel: Channel, queue: str, *, waited: int) -> None:
    """Put back everything that this channel holds, and wait until the next look can see it.

    A quorum queue takes back what is given back as it takes what is published: after it is written down,
    without an answer. So it is counted again and again, for at most 0.2 s, because others may take messages.

    Args:
        channel: Where the messages were taken.
        queue: From which they were taken.
        waited: How many messages waited before.
    """
    channel.requeue_all()
    loop = asyncio.get_running_loop()
    until = loop.time() + _PATIENCE_S
    while True:
        counted = await count_queue(channel, queue)
        if counted.messages >= waited or loop.time() >= until:
            return
        await asyncio.sleep(_PAUSE_S)
