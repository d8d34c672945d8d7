"""Many jobs of one request on their way into PostgreSQL: all of them or none."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from uuid import UUID

import asyncpg

from services.ingress.adapters.idempotency_keys import IdempotencyKeys, Remembered
from services.ingress.adapters.new_job_rows import PUBLISH_ALONE_S, insert_jobs
from services.ingress.adapters.patience import database_patience
from services.ingress.domain.new_job import KeptAnswer, NewJob
from shared.errors import DatabaseUnavailableError
from shared.storage.postgres import Connection, Database

ROWS = 250
"""Jobs in one statement; its text is built between two turns of the event loop."""
AT_ONCE = 2
"""Transactions at a time, so that connections are left for everybody else."""


class BulkCommit:
    """Commits one batch in one transaction, which no other submission waits for.

    Args:
        database: As ``penstock_app``.
        keys: On the same database.
        on_committed: Gets the jobs that this process publishes itself; the others are due for the outbox
            sweep at once.
        max_published: How many of a batch those are.
    """

    def __init__(
        self,
        database: Database,
        keys: IdempotencyKeys,
        on_committed: Callable[[Sequence[NewJob]], None],
        *,
        max_published: int,
    ) -> None:
        self._database = database
        self._keys = keys
        self._on_committed = on_committed
        self._max_published = max_published
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def commit(
        self, tenant_id: UUID, jobs: Sequence[NewJob], kept: KeptAnswer | None
    ) -> Remembered | None:
        """Return when the jobs are durable; what the key created before, where it did.

        Args:
            tenant_id: Whose jobs they are.
            jobs: At least one.
            kept: The batch's idempotency key and answer, committed with them.

        Raises:
            IdempotencyKeyReusedError: The key belongs to another request.
            IdempotencyKeyInUseError: Another request with the key takes its time.
            DatabaseUnavailableError: Nothing is committed; or, if the connection broke while committing,
                perhaps all of it.
        """
        mine, swept = jobs[: self._max_published], jobs[self._max_published :]
        try:
            async with self._turns, AsyncExitStack() as stack:
                async with database_patience():
                    connection = await stack.enter_async_context(self._database.transaction(tenant_id))
                stack.enter_context(_abandoned_in_silence(connection))
                earlier = await self._take(connection, tenant_id, jobs[0].job_id, kept)
                if earlier is not None:
                    return earlier
                await _write(connection, tenant_id, mine, alone_s=PUBLISH_ALONE_S)
                await _write(connection, tenant_id, swept, alone_s=0)
                async with database_patience():
                    await stack.aclose()
        except asyncpg.CheckViolationError as error:
            raise DatabaseUnavailableError("The partition of the day is still to be made.") from error
        self._on_committed(mine)
        return None

    async def _take(
        self, connection: Connection, tenant_id: UUID, object_id: UUID, kept: KeptAnswer | None
    ) -> Remembered | None:
        if kept is None:
            return None
        async with database_patience():
            earlier = await self._keys.take(connection, tenant_id, kept.use, object_id)
            if earlier is None:
                await self._keys.keep(connection, kept.use, status=kept.status, answer=kept.body)
        return earlier


@contextmanager
def _abandoned_in_silence(connection: Connection) -> Iterator[None]:
    """Close the connection to a server that does not answer: the roll-back would wait for it as well."""
    try:
        yield
    except DatabaseUnavailableError:
        connection.terminate()
        raise


async def _write(connection: Connection, tenant_id: UUID, jobs: Sequence[NewJob], *, alone_s: float) -> None:
    for start in range(0, len(jobs), ROWS):
        async with database_patience():
            await insert_jobs(connection, tenant_id, jobs[start : start + ROWS], alone_s=alone_s)
