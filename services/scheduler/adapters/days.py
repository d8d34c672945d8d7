"""The daily partitions of jobs and of what hangs on them."""

from datetime import date
from typing import Any

import asyncpg

from shared.errors import DatabaseUnavailableError
from shared.storage.postgres import Database

LOCK_TIMEOUT_MS = 1000
"""Creating or dropping a partition stops every statement on the table while it waits for its lock."""


class Partitions:
    """Partitions, created and dropped by the functions of the schema.

    Args:
        database: Acts as ``penstock_system``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure(self, first: date, last: date) -> None:
        """See ``Days.ensure``."""
        await self._call("SELECT ensure_job_partitions($1, $2)", first, last)

    async def drop_before(self, day: date) -> int:
        """See ``Days.drop_before``."""
        dropped: int = await self._call("SELECT drop_job_partitions($1)", day)
        return dropped

    async def oldest(self) -> date | None:
        """See ``Days.oldest``."""
        oldest: date | None = await self._call(
            "SELECT min(to_date(right(c.relname, 8), 'YYYYMMDD')) "
            "FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = 'jobs'::regclass AND c.relname ~ '^jobs_[0-9]{8}$'"
        )
        return oldest

    async def _call(self, statement: str, *arguments: date) -> Any:
        try:
            async with self._database.transaction() as connection:
                await connection.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
                return await connection.fetchval(statement, *arguments)
        except asyncpg.LockNotAvailableError as error:
            raise DatabaseUnavailableError("The jobs table is busy; partitions have to wait.") from error
