"""Reads that very many waiters want at once, a few at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.errors import DatabaseUnavailableError

T = TypeVar("T")

READS_AT_ONCE = 6
"""Below the size of PostgreSQL's pool, so that others find a connection."""


class Turns:
    """A queue before PostgreSQL: whoever is in it loses no patience over the others that are before it.

    When the one before it finds PostgreSQL away, all who are in the queue hear that at once: they would only
    wait as long for the same answer.
    """

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(READS_AT_ONCE)
        self._failures = 0

    async def read(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work when it is its turn.

        Raises:
            DatabaseUnavailableError: PostgreSQL is away, as this read or one before it found.
        """
        known = self._failures
        async with self._turns:
            if self._failures != known:
                raise DatabaseUnavailableError("PostgreSQL does not answer.")
            try:
                return await work()
            except DatabaseUnavailableError:
                self._failures += 1
                raise
