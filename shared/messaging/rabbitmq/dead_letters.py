"""Dead letters: messages on ``<queue>.dead`` with a reason in their headers."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.messaging.amqp.channel import Channel
from shared.messaging.amqp.incoming import Incoming
from shared.messaging.broker import DeadLetter
from shared.messaging.dead_letters import DeadLetterChoice
from shared.messaging.rabbitmq.channel import passing_channel
from shared.messaging.rabbitmq.declarations import count_queue, dead_queue
from shared.messaging.rabbitmq.delivery import now_ms
from shared.messaging.rabbitmq.giving_back import give_back
from shared.messaging.rabbitmq.link import Link
from shared.messaging.rabbitmq.publisher import DEFAULT_EXCHANGE, Publisher
from shared.messaging.rabbitmq.wire import (
    DEAD_LETTER_ID,
    DIED_AT,
    REASON,
    Standing,
    message_of,
    moment,
    queued_properties,
    raw_headers,
    read_attempt,
    read_number,
    read_standing,
    read_text,
)

TIMEOUT_S = 60.0
"""A whole queue may have to be read: a millisecond or two for each dead letter."""


class DeadLetters:
    """Lists, replays and discards.

    Whoever looks holds what it has seen until it is done, so two looks at a time would each see a part:
    in one process they take turns; one in another process may see fewer for that moment. No two looks
    replay or discard the same one; a process that dies between publishing one and acknowledging it leaves it
    both dead and on its queue.
    """

    def __init__(self, link: Link, publisher: Publisher) -> None:
        self._link = link
        self._publisher = publisher
        self._turn = asyncio.Lock()

    async def list(
        self, queue: str, choice: DeadLetterChoice, *, limit: int, offset: int
    ) -> Sequence[DeadLetter]:
        """List the oldest that are meant, without removing them."""
        letters: list[DeadLetter] = []
        async with self._looking(queue) as look:
            async for raw in _chosen(look.channel, look.queue, choice, limit=offset + limit):
                if offset:
                    offset -= 1
                else:
                    letters.append(_read(raw, queue))
        return letters

    async def replay(self, queue: str, choice: DeadLetterChoice, *, limit: int) -> int:
        """Put some back on their queue with ``attempt`` at 1 and no expiry: somebody wants them done."""
        async with self._looking(queue) as look:
            async for raw in _chosen(look.channel, look.queue, choice, limit=limit):
                letter, now = _read(raw, queue), now_ms()
                first = Standing(published_at_ms=read_standing(raw_headers(raw), now_ms=now).published_at_ms)
                properties = queued_properties(replace(letter.message, expires_at=None), first, now_ms=now)
                await self._publisher.publish(DEFAULT_EXCHANGE, queue, letter.message.body, properties)
                look.remove(raw)
        return look.removed

    async def discard(self, queue: str, choice: DeadLetterChoice, *, limit: int) -> int:
        """Delete some for good."""
        async with self._looking(queue) as look:
            async for raw in _chosen(look.channel, look.queue, choice, limit=limit):
                look.remove(raw)
        return look.removed

    @asynccontextmanager
    async def _looking(self, queue: str) -> AsyncIterator["_Look"]:
        """Let the body take dead letters; give back what it does not remove."""
        name = dead_queue(queue)
        async with self._turn, passing_channel(self._link, TIMEOUT_S) as channel:
            waited = (await count_queue(channel, name)).messages
            look = _Look(channel, name)
            yield look
            await give_back(channel, name, waited=waited - look.removed)


@dataclass(slots=True)
class _Look:
    """The dead letters of one queue, on a channel that holds those that were read."""

    channel: Channel
    queue: str
    removed: int = 0

    def remove(self, raw: Incoming) -> None:
        """Take one away for good."""
        self.channel.ack(raw.delivery_tag)
        self.removed += 1


async def _held(channel: Channel, queue: str) -> AsyncIterator[Incoming]:
    while True:
        raw = await channel.get(queue)
        if raw is None:
            return
        yield raw


async def _chosen(
    channel: Channel, queue: str, choice: DeadLetterChoice, *, limit: int
) -> AsyncIterator[Incoming]:
    """Read a queue as far as it takes to find those that are meant."""
    left = limit if choice.ids is None else min(limit, len(choice.ids))
    if left <= 0:
        return
    async for raw in _held(channel, queue):
        headers = raw_headers(raw)
        if choice.takes(read_text(headers, DEAD_LETTER_ID), read_text(headers, REASON), _died_at(headers)):
            yield raw
            left -= 1
            if not left:
                return


def _read(raw: Incoming, queue: str) -> DeadLetter:
    headers = raw_headers(raw)
    return DeadLetter(
        id=read_text(headers, DEAD_LETTER_ID),
        queue=queue,
        message=message_of(raw.properties, raw.body),
        reason=read_text(headers, REASON),
        attempt=read_attempt(headers),
        died_at=_died_at(headers),
    )


def _died_at(headers: Mapping[str, Any]) -> datetime:
    return moment(read_number(headers, DIED_AT) or 0)
