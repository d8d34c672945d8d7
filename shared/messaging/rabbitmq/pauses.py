"""Paused queues: a durable exchange beside a queue is the flag, so that no other store is needed.

Exchanges are part of the metadata that every node of a cluster has; a queue as the flag would need its
own node up, and a quorum queue takes seconds to delete after a restart.
"""

from shared.messaging.amqp.errors import NOT_FOUND, ChannelClosedError
from shared.messaging.rabbitmq.channel import passing_channel
from shared.messaging.rabbitmq.declarations import (
    declare_pause_flag,
    delete_pause_flag,
    find_exchange,
    pause_flag,
)
from shared.messaging.rabbitmq.link import Link

TIMEOUT_S = 5.0


class Pauses:
    """Reads and writes the flags."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def paused(self, queue: str) -> bool:
        """Look for the flag."""
        async with passing_channel(self._link, TIMEOUT_S) as channel:
            try:
                await find_exchange(channel, pause_flag(queue))
            except ChannelClosedError as error:
                if error.code != NOT_FOUND:
                    raise
                return False
            return True

    async def set(self, queue: str) -> None:
        """Raise the flag; raised already is fine."""
        async with passing_channel(self._link, TIMEOUT_S) as channel:
            await declare_pause_flag(channel, queue)

    async def clear(self, queue: str) -> None:
        """Lower the flag; lowered already is fine."""
        async with passing_channel(self._link, TIMEOUT_S) as channel:
            await delete_pause_flag(channel, queue)
