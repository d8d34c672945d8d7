"""Background jobs on their way into PostgreSQL: concurrent submissions share a commit."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby, islice
from operator import attrgetter
from uuid import UUID

import asyncpg
import orjson

from services.ingress.adapters.patience import database_patience
from services.ingress.domain.new_job import NewJob
from shared.errors import DatabaseUnavailableError, DependencyUnavailableError
from shared.storage.postgres import Connection, Database

PUBLISH_ALONE_S = 2.0
"""How long the outbox sweep leaves a new job to the ingress that took it."""

# The tenant is set where the rows come from: before any of them is checked against its policy, and in the one
# round trip that an accepted job waits for.
_INSERT = """
WITH tenant AS MATERIALIZED (
    SELECT set_config('app.tenant', $1::uuid::text, true)
), submitted AS MATERIALIZED (
    SELECT s.* FROM tenant, unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[],
                         $8::text[], $9::text[], $10::text[], $11::text[], $12::timestamptz[],
                         $13::timestamptz[], $14::integer[], $15::integer[])
    AS s(id, request_id, operation, lane, model, stream, metadata, request, request_ref, traceparent,
         created_at, deadline_at, max_attempts, retention_s)
), written AS (
    INSERT INTO jobs (id, tenant_id, request_id, operation, lane, model, status, background, stream, metadata,
                      request, request_ref, traceparent, created_at, deadline_at, max_attempts, retention_s,
                      last_event)
    SELECT id, $1, request_id, operation, lane, model, 'queued', true, stream, metadata::jsonb,
           request, request_ref, traceparent, created_at, deadline_at, max_attempts, retention_s, 1
    FROM submitted
), announced AS (
    INSERT INTO job_events (job_id, sequence, tenant_id, type, data)
    SELECT id, 1, $1, 'job.queued', '{"status":"queued"}' FROM submitted
)
INSERT INTO outbox (job_id, tenant_id, due_at)
SELECT id, $1, clock_timestamp() + make_interval(secs => $16) FROM submitted
"""


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
        self._waiting: deque[tuple[NewJob, asyncio.Future[None]]] = deque()
        self._arrived = asyncio.Event()

    async def submit(self, job: NewJob) -> None:
        """Return when the job is durable.

        Raises:
            DatabaseUnavailableError: It is not; or, if the connection broke while committing, perhaps.
            DependencyUnavailableError: Too many wait already.
        """
        if len(self._waiting) >= self._max_waiting:
            raise DependencyUnavailableError("Too many jobs are being submitted.")
        committed = asyncio.get_running_loop().create_future()
        self._waiting.append((job, committed))
        self._arrived.set()
        try:
            await committed
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
            await self._write([job for job, _ in batch])
        except DatabaseUnavailableError as error:
            # Those that came meanwhile would only wait as long for the same answer.
            batch.extend(self._waiting)
            self._waiting.clear()
            _settle(batch, error)
        except asyncpg.PostgresError:
            await self._commit_one_by_one(batch)
        else:
            self._committed(batch)

    async def _commit_one_by_one(self, batch: Sequence[tuple[NewJob, asyncio.Future[None]]]) -> None:
        """Find the job that PostgreSQL refuses, so that it fails alone."""
        for entry in batch:
            try:
                await self._write([entry[0]])
            except asyncpg.CheckViolationError:
                _settle([entry], DatabaseUnavailableError("The partition of the day is still to be made."))
            except DatabaseUnavailableError as error:
                _settle(batch, error)  # the rest would only wait as long, one after the other
                return
            except asyncpg.PostgresError as error:
                _settle([entry], error)
            else:
                self._committed([entry])

    def _committed(self, batch: Sequence[tuple[NewJob, asyncio.Future[None]]]) -> None:
        _settle(batch, None)
        self._on_committed([job for job, _ in batch])

    async def _write(self, jobs: Sequence[NewJob]) -> None:
        if not jobs:
            return
        by_tenant = attrgetter("tenant_id")
        groups = [
            (tenant_id, list(group)) for tenant_id, group in groupby(sorted(jobs, key=by_tenant), by_tenant)
        ]
        # One statement is a transaction by itself.
        lend = self._database.connection if len(groups) == 1 else self._database.transaction
        async with database_patience(), lend() as connection:
            for tenant_id, group in groups:
                await _insert(connection, tenant_id, group)


def _settle(batch: Sequence[tuple[NewJob, asyncio.Future[None]]], error: Exception | None) -> None:
    for _, committed in batch:
        if committed.done():
            continue
        if error is None:
            committed.set_result(None)
        else:
            committed.set_exception(error.with_traceback(None))


async def _insert(connection: Connection, tenant_id: UUID, jobs: Sequence[NewJob]) -> None:
    rows = [
        (
            job.job_id,
            job.request_id,
            job.operation.value,
            job.lane.value,
            job.model,
            job.stream,
            orjson.dumps(job.metadata).decode(),
            None if job.body_ref else job.body.decode(),
            job.body_ref,
            job.headers.get("traceparent"),
            job.created_at,
            job.deadline_at,
            job.max_attempts,
            job.retention_s,
        )
        for job in jobs
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    await connection.execute(_INSERT, tenant_id, *columns, PUBLISH_ALONE_S)
