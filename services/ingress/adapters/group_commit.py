"""Background jobs on their way into PostgreSQL: concurrent submissions share a commit."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby, islice
from operator import attrgetter
from uuid import UUID

import asyncpg

from services.ingress.adapters.new_job_rows import insert_jobs
from services.ingress.adapters.patience import database_patience
from services.ingress.domain.new_job import NewJob
from shared.errors import DatabaseUnavailableError, DependencyUnavailableError
from shared.runtime.crash_points import CrashPoint, crash_points
from shared.storage.postgres import Database

_Entry = tuple[NewJob, asyncio.Future[bool]]


class GroupCommit:
    """Commits whatever waits, in one transaction; what comes meanwhile shares the next one.

    Args:
        database: As ``penstock_app``.
        on_committed: Gets every batch that is durable.
        max_batch: Jobs in one transaction at most.
        max_waiting: Jobs that may wait; one more is refused.
    """

    def __init__(
        self,
        database: Database,
        on_committed: Callable[[Sequence[NewJob]], None],
        *,
        max_batch: int,
        max_waiting: int,
    ) -> None:
        self._database = database
        self._on_committed = on_committed
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting: deque[_Entry] = deque()
        self._arrived = asyncio.Event()

    async def submit(self, job: NewJob) -> bool:
        """Return when the job is durable.

        Returns:
            False when it is not, because its idempotency key is taken or being taken.

        Raises:
            DatabaseUnavailableError: It is not; or, if the connection broke while committing, perhaps.
            DependencyUnavailableError: Too many wait already.
        """
        if len(self._waiting) >= self._max_waiting:
            raise DependencyUnavailableError("Too many jobs are being submitted.")
        committed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((job, committed))
        self._arrived.set()
        try:
            return await committed
        finally:
            del committed  # it knows the error, whose traceback knows this frame and the caller's body

    async def run(self) -> None:
        """Commit until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                # One turn of the loop lets submissions of the same moment join.
                await asyncio.sleep(0)
                await self._commit_next()

    async def _commit_next(self) -> None:
        batch = list(islice(self._waiting, self._max_batch))
        for _ in batch:
            self._waiting.popleft()
        # Whoever left meanwhile (its connection closed) is not submitted.
        batch = [entry for entry in batch if not entry[1].done()]
        try:
            refused = await self._write([job for job, _ in batch])
        except DatabaseUnavailableError as error:
            # Those that came meanwhile would only wait as long for the same answer.
            batch.extend(self._waiting)
            self._waiting.clear()
            _fail(batch, error)
        except asyncpg.PostgresError:
            await self._commit_one_by_one(batch)
        else:
            self._committed(batch, refused)

    async def _commit_one_by_one(self, batch: Sequence[_Entry]) -> None:
        """Find the job that PostgreSQL refuses, so that it fails alone."""
        for entry in batch:
            try:
                refused = await self._write([entry[0]])
            except asyncpg.CheckViolationError:
                _fail([entry], DatabaseUnavailableError("The partition of the day is still to be made."))
            except DatabaseUnavailableError as error:
                _fail(batch, error)  # the rest would only wait as long, one after the other
                return
            except asyncpg.PostgresError as error:
                _fail([entry], error)
            else:
                self._committed([entry], refused)

    def _committed(self, batch: Sequence[_Entry], refused: set[UUID]) -> None:
        crash_points.reach(CrashPoint.SUBMIT_COMMITTED)
        for job, committed in batch:
            if not committed.done():
                committed.set_result(job.job_id not in refused)
        self._on_committed([job for job, _ in batch if job.job_id not in refused])

    async def _write(self, jobs: Sequence[NewJob]) -> set[UUID]:
        """Commit jobs; returns those whose idempotency key is taken."""
        refused: set[UUID] = set()
        if not jobs:
            return refused
        by_tenant = attrgetter("tenant_id")
        groups = [
            (tenant_id, list(group)) for tenant_id, group in groupby(sorted(jobs, key=by_tenant), by_tenant)
        ]
        # One statement is a transaction by itself.
        lend = self._database.connection if len(groups) == 1 else self._database.transaction
        async with database_patience(), lend() as connection:
            for tenant_id, group in groups:
                refused |= await insert_jobs(connection, tenant_id, group)
        return refused


def _fail(batch: Sequence[_Entry], error: Exception) -> None:
    for _, committed in batch:
        if not committed.done():
            committed.set_exception(error.with_traceback(None))
