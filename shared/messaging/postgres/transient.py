"""Replies and broadcasts: notifications, sent in batches, in the order of their senders."""

import itertools
from collections.abc import Callable, Sequence

import structlog

from shared.errors import MalformedMessageError, PayloadTooLargeError
from shared.messaging.broker import Message, OnMessage
from shared.messaging.postgres.batcher import Batcher
from shared.messaging.postgres.connections import Connections
from shared.messaging.postgres.listener import Listener
from shared.messaging.postgres.names import BROADCAST_CHANNEL, is_inbox_channel, new_inbox_channel
from shared.messaging.postgres.notifications import Assembler, pack, spell

_NOTIFY = "SELECT pg_notify(channel, payload) FROM unnest($1::text[], $2::text[]) AS n (channel, payload)"
_MAX_BROADCAST_BYTES = 7000
_TOGETHER_S = 0.002
"""How long replies wait for others while there are many; the first after a pause goes at once."""


class Sender:
    """Sends to channels; whoever does not listen misses it."""

    def __init__(self, connections: Connections, *, timeout_s: float) -> None:
        self._connections = connections
        self._timeout_s = timeout_s
        self._numbers = itertools.count()
        self.batches: Batcher[tuple[str, str], None] = Batcher(
            self._flush, timeout_s=timeout_s, interval_s=_TOGETHER_S
        )

    async def reply(self, address: str, message: Message) -> None:
        """Send to an inbox; nothing happens where the address is not one of ours."""
        if is_inbox_channel(address):
            await self.batches.submit((address, spell(message)))

    async def broadcast(self, message: Message) -> None:
        """Send to everybody.

        Raises:
            PayloadTooLargeError: The body is over the port's limit.
        """
        if len(message.body) > _MAX_BROADCAST_BYTES:
            raise PayloadTooLargeError(f"a broadcast has at most {_MAX_BROADCAST_BYTES} bytes")
        await self.batches.submit((BROADCAST_CHANNEL, spell(message)))

    async def _flush(self, batch: Sequence[tuple[str, str]]) -> Sequence[None]:
        texts: dict[str, list[str]] = {}
        for channel, text in batch:
            texts.setdefault(channel, []).append(text)
        channels: list[str] = []
        payloads: list[str] = []
        for channel, waiting in texts.items():
            packed = pack(waiting, self._numbers)
            payloads += packed
            channels += [channel] * len(packed)
        await self._connections.fetch(_NOTIFY, channels, payloads, timeout_s=self._timeout_s)
        return [None] * len(batch)


class PostgresInbox:
    """Implements the port's ``Inbox``: a channel that nobody else listens on."""

    def __init__(self, listener: Listener, on_close: "Callable[[PostgresInbox], None]") -> None:
        self._listener = listener
        self._on_close = on_close
        self.address = new_inbox_channel()

    async def close(self) -> None:
        """Drop the address."""
        self._on_close(self)
        await self._listener.unlisten(self.address)


def assembled(on_message: OnMessage) -> Callable[[str], None]:
    """Turn a receiver of messages into a receiver of notifications."""
    assembler = Assembler()
    log = structlog.get_logger()

    def on_notification(payload: str) -> None:
        try:
            messages = assembler.add(payload)
        except MalformedMessageError as error:
            log.warning("notification_dropped", reason=error.message)
            return
        for message in messages:
            on_message(message)

    return on_notification
