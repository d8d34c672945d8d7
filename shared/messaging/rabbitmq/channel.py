"""A channel that comes back by itself, with what was prepared on it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from shared.errors import BrokerUnavailableError
from shared.messaging.amqp.channel import Channel
from shared.messaging.amqp.connection import Connection
from shared.messaging.rabbitmq.failures import bounded
from shared.messaging.rabbitmq.link import (
    CLOSE_TIMEOUT_S,
    FIRST_DELAY_S,
    LONGEST_DELAY_S,
    Link,
)

_log = structlog.get_logger(__name__)

OPEN_TIMEOUT_S = 10.0

Prepare = Callable[[Channel], Awaitable[None]]


class KeptChannel:
    """A channel of a link, opened and prepared again whenever it is lost.

    Args:
        link: Its connection.
        prepare: Declares and consumes on a fresh channel; what it raises makes it start over.
        confirm_timeout_s: How long a publish here waits for its confirm; None for no confirms.
        on_lost: Called each time that a working channel is gone.
    """

    def __init__(
        self,
        link: Link,
        prepare: Prepare,
        *,
        confirm_timeout_s: float | None = None,
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        self._link = link
        self._prepare = prepare
        self._confirm_timeout_s = confirm_timeout_s
        self._on_lost = on_lost
        self._up = asyncio.Event()
        self._down_since = -float("inf")
        self._task: asyncio.Task[None] | None = None
        self.current: Channel | None = None
        """The channel, or None while there is none."""

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Begin to keep the channel, as a task of the group."""
        self._down_since = asyncio.get_running_loop().time()
        self._task = tasks.create_task(self._run())

    async def ready(self, patience_s: float) -> Channel:
        """Wait for the channel.

        Args:
            patience_s: Seconds since the channel was lost, not since the call: once an outage is older,
                callers are told at once.

        Raises:
            BrokerUnavailableError: There is none.
        """
        if self.current is not None and self.current.is_closed:
            self._note_loss()
        try:
            async with asyncio.timeout_at(self._down_since + patience_s):
                while self.current is None:
                    await self._up.wait()
        except TimeoutError as error:
            raise BrokerUnavailableError("there is no connection to RabbitMQ") from error
        return self.current

    async def first_ready(self) -> None:
        """Wait for the channel without end."""
        await self._up.wait()

    def forget(self) -> None:
        """Stop keeping the channel; one that is open stays so."""
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """Stop keeping the channel and close it; what was written before is flushed."""
        self.forget()
        channel, self.current = self.current, None
        self._up.clear()
        if channel is not None:
            await _close(channel)

    async def _run(self) -> None:
        delay_s = FIRST_DELAY_S
        while True:
            connection = await self._link.connected()
            try:
                channel = await self._open(connection)
            except BrokerUnavailableError as error:
                _log.warning("channel not opened", reason=error.message)
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, LONGEST_DELAY_S)
                continue
            delay_s = FIRST_DELAY_S
            self.current = channel
            self._up.set()
            await asyncio.wait([channel.closed])
            if self.current is not None:
                self._note_loss()
            if self._on_lost is not None:
                self._on_lost()

    def _note_loss(self) -> None:
        self.current = None
        self._up.clear()
        self._down_since = asyncio.get_running_loop().time()

    async def _open(self, connection: Connection) -> Channel:
        channel = None
        try:
            async with bounded(OPEN_TIMEOUT_S):
                channel = await connection.channel()
                if self._confirm_timeout_s is not None:
                    await channel.confirm_publishes(self._confirm_timeout_s)
                await self._prepare(channel)
        except BaseException:
            if channel is not None:
                await _close(channel)
            raise
        return channel


@asynccontextmanager
async def passing_channel(link: Link, timeout_s: float) -> AsyncIterator[Channel]:
    """Open a channel for an errand and close it after: a refusal closes a channel, so it is not shared.

    Raises:
        BrokerUnavailableError: The errand took longer than ``timeout_s`` seconds, or the link broke.
    """
    async with bounded(timeout_s):
        connection = await link.connected()
        channel = await connection.channel()
        try:
            yield channel
        except BaseException:
            channel.abandon()  # its time may be over already
            raise
        await _close(channel)


async def _close(channel: Channel) -> None:
    if channel.is_closed:
        return
    try:
        async with bounded(CLOSE_TIMEOUT_S):
            await channel.close()
    except BrokerUnavailableError as error:
        _log.info("channel not closed in order", reason=error.message)
