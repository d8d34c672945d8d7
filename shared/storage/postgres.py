"""The relational store: a pool, and two ways into a transaction."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, Self, TypeAlias
from uuid import UUID

import asyncpg

from shared.config.settings import PostgresSettings
from shared.errors import DatabaseUnavailableError

Role = Literal["penstock_app", "penstock_system"]
Connection: TypeAlias = Any
"""An asyncpg connection out of the pool; the library has no types."""

OUTAGE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a session that was told to end, used before its socket closes
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""What means that the server is away, as opposed to a statement that is wrong."""

RELEASE_TIMEOUT_S = 0.05
"""How long a statement that was given up may take to be called off, before its connection is dropped: a
server that is silent answers that no sooner than the statement, and its caller has waited already."""


class Database:
    """A pool of connections that act as one role; an outage is an error at once and heals by itself.

    Args:
        settings: URL, size and limits.
        role: ``penstock_app`` sees one tenant at a time, ``penstock_system`` every tenant.
        name: Shown to the server as the application's name.
    """

    def __init__(self, settings: PostgresSettings, *, role: Role, name: str) -> None:
        self._settings = settings
        self._pool: asyncpg.Pool = asyncpg.create_pool(
            settings.url.get_secret_value(),
            min_size=0,
            max_size=settings.pool_size,
            connect=_connect,
            reset=_as_it_is,
            timeout=settings.acquire_timeout_s,
            command_timeout=settings.statement_timeout_s,
            server_settings={"role": role, "application_name": name, "jit": "off"},
        )

    async def __aenter__(self) -> Self:
        """Start without connecting: the first use connects, so a service starts before its server."""
        await self._pool
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection; those in use get two seconds."""
        try:
            async with asyncio.timeout(2):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    async def ping(self) -> None:
        """Raise DatabaseUnavailableError unless the server answers."""
        async with self.connection() as connection:
            await connection.execute("SELECT 1")

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection for statements each of which is a transaction of its own.

        Raises:
            DatabaseUnavailableError: As :meth:`transaction` does.
        """
        try:
            connection = await self._pool.acquire(timeout=self._settings.acquire_timeout_s)
            try:
                yield connection
            finally:
                await self._pool.release(connection, timeout=RELEASE_TIMEOUT_S)
        except OUTAGE as error:
            raise DatabaseUnavailableError("PostgreSQL does not answer.") from error

    @asynccontextmanager
    async def transaction(self, tenant_id: UUID | None = None) -> AsyncIterator[Connection]:
        """Run a block in one transaction.

        Args:
            tenant_id: Whose rows ``penstock_app`` may see; None for ``penstock_system``, or to see none.

        Raises:
            DatabaseUnavailableError: No connection within ``acquire_timeout_s``, the server refuses it, or
                it broke. If it broke while committing, the transaction may have been committed.
        """
        async with self.connection() as connection, connection.transaction():
            if tenant_id is not None:
                await act_for(connection, tenant_id)
            yield connection


async def _connect(*arguments: Any, **options: Any) -> Connection:
    """Connect; whatever the server says before the first statement is no fault of any statement.

    A password that was changed, a role or a database that is not there yet: for who waits, an outage.
    """
    try:
        return await asyncpg.connect(*arguments, **options)
    except asyncpg.PostgresError as error:
        raise DatabaseUnavailableError(f"PostgreSQL refuses the connection ({error.sqlstate}).") from error


async def _as_it_is(_: Connection) -> None:
    """Spare the pool its reset, a round trip for each use: what a transaction sets ends with it."""


async def act_for(connection: Connection, tenant_id: UUID) -> None:
    """Let the rest of the transaction see the rows of one tenant."""
    await connection.execute("SELECT set_config('app.tenant', $1, true)", str(tenant_id))
