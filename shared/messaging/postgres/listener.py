"""The connection that listens: notifications in, subscriptions counted, outages noticed."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import asyncpg
import structlog

from shared.messaging.postgres.connections import CONNECT_TIMEOUT_S, OUTAGE, open_connection

HEARTBEAT_S = 5.0
CALL_TIMEOUT_S = 3.0
_BACKOFF_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)

OnNotification = Callable[[str], None]
LockKey = tuple[int, int]


class Listener:
    """One connection for all of a broker's channels; it comes back by itself with all of them.

    The advisory locks that it holds say which subscriptions this process has: they go when it goes.
    """

    def __init__(self, url: str, *, name: str) -> None:
        self._url = url
        self._name = name
        self._channels: dict[str, OnNotification] = {}
        self._locks: set[LockKey] = set()
        self._locked: set[LockKey] = set()
        self._on_up: list[Callable[[], None]] = []
        self._on_down: list[Callable[[], None]] = []
        self._connection: asyncpg.Connection | None = None
        self._busy = asyncio.Lock()
        self._up = asyncio.Event()
        self._log = structlog.get_logger(broker=name)

    def watch(self, *, on_up: Callable[[], None], on_down: Callable[[], None]) -> None:
        """Be told when notifications arrive again, and when some may have been missed."""
        self._on_up.append(on_up)
        self._on_down.append(on_down)

    async def connected(self) -> None:
        """Wait, without end, until it listens."""
        await self._up.wait()

    async def listen(self, channel: str, on_notification: OnNotification) -> None:
        """Receive a channel; now, or after the reconnect if the connection is down."""
        self._channels[channel] = on_notification
        await self._do(lambda connection: connection.add_listener(channel, self._dispatch))

    async def unlisten(self, channel: str) -> None:
        """Stop receiving a channel."""
        if self._channels.pop(channel, None) is not None:
            await self._do(lambda connection: connection.remove_listener(channel, self._dispatch))

    async def hold(self, key: LockKey) -> None:
        """Hold an advisory lock for as long as the connection lives, and after every reconnect."""
        self._locks.add(key)
        await self._do(lambda connection: self._lock(connection, key))

    async def release(self, key: LockKey) -> None:
        """Give an advisory lock back."""
        self._locks.discard(key)
        await self._do(lambda connection: self._unlock(connection, key))

    async def run(self) -> None:
        """Stay connected until cancelled."""
        failures = 0
        while True:
            try:
                await self._connect()
                failures = 0
                await self._until_broken()
                self._log.warning("broker_connection_lost")
            except (*OUTAGE, asyncpg.PostgresError) as error:
                if failures == 0:
                    self._log.warning("broker_unreachable", error=type(error).__name__)
            finally:
                self._disconnect()
            pause = _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]
            failures += 1
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads reconnects

    async def _connect(self) -> None:
        async with self._busy:
            connection = await open_connection(
                self._url, name=f"{self._name}-listens", timeout_s=CONNECT_TIMEOUT_S
            )
            try:
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    for channel in list(self._channels):
                        await connection.add_listener(channel, self._dispatch)
                    for key in list(self._locks):
                        await self._lock(connection, key)
            except BaseException:  # not ours to judge; only the socket must not leak
                connection.terminate()
                raise
            self._connection = connection
        self._up.set()
        for on_up in self._on_up:
            on_up()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        self._locked.clear()
        if connection is None:
            return
        self._up.clear()
        connection.terminate()
        for on_down in self._on_down:
            on_down()

    async def _until_broken(self) -> None:
        broken = asyncio.Event()
        if self._connection is not None:
            self._connection.add_termination_listener(lambda _: broken.set())
        while self._connection is not None and not self._connection.is_closed():
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await broken.wait()
            except TimeoutError:
                await self._do(lambda connection: connection.execute("SELECT 1"))

    async def _do(self, action: Callable[[asyncpg.Connection], Awaitable[None]]) -> None:
        """Act on the connection if there is one; a broken one is left to the reconnect."""
        async with self._busy:
            connection = self._connection
            if connection is None:
                return
            try:
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    await action(connection)
            except OUTAGE:
                connection.terminate()

    async def _lock(self, connection: asyncpg.Connection, key: LockKey) -> None:
        if key not in self._locked:
            await connection.execute("SELECT pg_advisory_lock_shared($1, $2)", *key)
            self._locked.add(key)

    async def _unlock(self, connection: asyncpg.Connection, key: LockKey) -> None:
        if key in self._locked:
            self._locked.discard(key)
            await connection.execute("SELECT pg_advisory_unlock_shared($1, $2)", *key)

    def _dispatch(self, _: asyncpg.Connection, _pid: int, channel: str, payload: str) -> None:
        on_notification = self._channels.get(channel)
        if on_notification is not None:
            on_notification(payload)
