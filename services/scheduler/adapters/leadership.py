"""Leadership by a session's advisory lock: PostgreSQL frees it when the session ends, however it ends."""

import asyncio
import contextlib

import asyncpg

from services.scheduler.domain.watch import LeadershipLostError
from shared.config.settings import PostgresSettings
from shared.errors import DatabaseUnavailableError
from shared.storage.postgres import OUTAGE

LOCK = 7_310_593_461_928
"""Any number that nothing else in the database locks."""
ANSWER_TIMEOUT_S = 2.0


class SessionLock:
    """The lock, on a connection of its own.

    The connection must reach PostgreSQL itself, or a pooler in session mode. Keepalives let the server
    notice within about ten seconds that the leader's machine has vanished.

    Args:
        settings: Where the server is.
        name: Shown to the server as the application's name.
    """

    def __init__(self, settings: PostgresSettings, *, name: str) -> None:
        self._settings = settings
        self._name = name
        self._session: asyncpg.Connection | None = None
        self._turn = asyncio.Lock()

    async def acquire(self) -> bool:
        """See ``Leadership.acquire``."""
        try:
            if self._session is None or self._session.is_closed():
                self._session = await self._connect()
            return bool(await self._session.fetchval("SELECT pg_try_advisory_lock($1)", LOCK))
        except (*OUTAGE, asyncpg.PostgresError) as error:  # a server that refuses leads nobody, too
            await self.release()
            raise DatabaseUnavailableError("PostgreSQL does not answer.") from error

    async def confirm(self) -> None:
        """See ``Leadership.confirm``: the lock lives exactly as long as the session."""
        async with self._turn:
            if self._session is None:
                raise LeadershipLostError("The lock's session has ended.")
            try:
                await self._session.execute("SELECT 1")
            except OUTAGE as error:
                await self.release()
                raise LeadershipLostError("The lock's session has ended.") from error

    async def release(self) -> None:
        """See ``Leadership.release``: end the session."""
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(*OUTAGE):
                await session.close(timeout=ANSWER_TIMEOUT_S)

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            self._settings.url.get_secret_value(),
            timeout=self._settings.acquire_timeout_s,
            command_timeout=ANSWER_TIMEOUT_S,
            server_settings={
                "application_name": f"{self._name}-leader",
                "tcp_keepalives_idle": "5",
                "tcp_keepalives_interval": "2",
                "tcp_keepalives_count": "3",
                "idle_session_timeout": "0",
            },
        )
