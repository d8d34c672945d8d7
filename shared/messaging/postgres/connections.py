"""Connections to the broker's PostgreSQL: for statements, opened when needed, never reset in between."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import asyncpg

from shared.errors import BrokerUnavailableError, DependencyUnavailableError

OUTAGE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # used between the server's last word and the end of the connection
    asyncpg.OperatorInterventionError,
)
"""What leaves a statement's outcome open; any other refusal of the server undid it for certain."""

CONNECT_TIMEOUT_S = 3.0


async def open_connection(url: str, *, name: str, timeout_s: float) -> asyncpg.Connection:
    """Connect; a peer that vanished without a word is noticed by both sides within half a minute."""
    return await asyncpg.connect(
        url,
        timeout=timeout_s,
        max_cached_statement_lifetime=0,
        server_settings={
            "application_name": name,
            "jit": "off",
            # A queue's table is read by its key, in order, however full it is. A plan that was made while
            # it was empty, and that is kept, must not read all of a table that has become large.
            "plan_cache_mode": "force_generic_plan",
            "enable_seqscan": "off",
            "enable_hashjoin": "off",
            "enable_mergejoin": "off",
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
        },
    )


class Connections:
    """Up to ``size`` connections; each call is one statement, one round trip and one transaction.

    A pool of our own: asyncpg's sends a reset after every use, a second round trip that statements
    which leave nothing behind do not need.
    """

    def __init__(self, url: str, *, size: int, name: str) -> None:
        self._url = url
        self._name = name
        self._free = asyncio.Semaphore(size)
        self._idle: list[asyncpg.Connection] = []

    async def fetch(
        self,
        sql: str,
        *arguments: Any,
        timeout_s: float,
        in_doubt: type[DependencyUnavailableError] = BrokerUnavailableError,
    ) -> Sequence[asyncpg.Record]:
        """Run one statement.

        Args:
            sql: The statement; prepared once per connection.
            arguments: Its parameters.
            timeout_s: Bounds everything, connecting included.
            in_doubt: Raised when the statement was sent and its end is not known.

        Raises:
            BrokerUnavailableError: It certainly had no effect.
        """
        deadline = time.monotonic() + timeout_s
        if self._free.locked():
            await self._wait_for_one(timeout_s)
        else:
            await self._free.acquire()  # at once
        try:
            connection = await self._connected(deadline)
            return await self._run(connection, sql, arguments, deadline, in_doubt)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Close the idle connections; nothing may be running."""
        while self._idle:
            connection = self._idle.pop()
            try:
                await connection.close(timeout=1)
            except OUTAGE:
                connection.terminate()

    async def _wait_for_one(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._free.acquire()
        except TimeoutError as error:
            raise BrokerUnavailableError("Every connection to the broker is busy.") from error

    async def _connected(self, deadline: float) -> asyncpg.Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        try:
            left = min(CONNECT_TIMEOUT_S, max(0.001, deadline - time.monotonic()))
            return await open_connection(self._url, name=self._name, timeout_s=left)
        except (*OUTAGE, asyncpg.PostgresError) as error:
            raise BrokerUnavailableError("The broker cannot be reached.") from error

    async def _run(
        self,
        connection: asyncpg.Connection,
        sql: str,
        arguments: Sequence[Any],
        deadline: float,
        in_doubt: type[DependencyUnavailableError],
    ) -> Sequence[asyncpg.Record]:
        usable = False
        try:
            left = max(0.001, deadline - time.monotonic())
            rows: Sequence[asyncpg.Record] = await connection.fetch(sql, *arguments, timeout=left)
        except OUTAGE as error:
            raise in_doubt("The connection to the broker broke, or it does not answer.") from error
        except asyncpg.PostgresError as error:
            usable = True
            raise BrokerUnavailableError(f"The broker refuses: {type(error).__name__}.") from error
        else:
            usable = True
            return rows
        finally:
            if usable:
                self._idle.append(connection)
            else:
                connection.terminate()
