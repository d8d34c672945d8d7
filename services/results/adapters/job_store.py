"""Records a batch in one transaction: lock and read the jobs, apply the messages, write what changed."""

import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import asyncpg

from services.results.adapters.changes import write_changes
from services.results.adapters.jobs import load_jobs
from services.results.adapters.synchronous import insert_ended
from services.results.domain.batch import Batch, Recorded
from services.results.domain.lifecycle import apply
from shared.contracts.jobs import JobFinished, JobStarted
from shared.errors import DatabaseUnavailableError, PenstockError
from shared.runtime.crash_points import CrashPoint, crash_points
from shared.storage.postgres import Connection, Database
from shared.storage.transitions import finish_locked_jobs

_HELD = """
UPDATE outbox SET held_at = now()
WHERE job_id IN (SELECT job_id FROM outbox WHERE job_id = ANY($1::uuid[]) FOR UPDATE SKIP LOCKED)
"""


_A_MESSAGE_IS_AT_FAULT = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)
"""Repeating cannot help. After any other error it may, and a message that is given up is an outcome lost."""


_EPOCH = date(1970, 1, 1)
_MS_A_DAY = 86_400_000
"""A UUIDv7 begins with 48 bits of milliseconds since then."""


class JobExpiredFromStoreError(PenstockError):
    """The job's day is not in the database (any more): retention dropped it, or its id is no UUIDv7."""

    code = "job_day_not_stored"


class JobStore:
    """The jobs of every tenant.

    Args:
        database: Acts as ``penstock_system``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._days: set[int] = set()

    async def record(self, batch: Batch) -> Recorded:
        """Write what a batch changes; repeating it changes nothing more.

        Raises:
            DatabaseUnavailableError: Nothing is certain; record the batch again.
            JobExpiredFromStoreError: A synchronous job is of a day that is not stored.
        """
        try:
            await self._prepare_days(batch.synchronous)
            # What synchronous calls need is one statement, a transaction by itself.
            database = self._database
            alone = not batch.background and not batch.held
            async with database.connection() if alone else database.transaction() as connection:
                return await _record(connection, batch)
        except asyncpg.CheckViolationError as error:
            raise JobExpiredFromStoreError(
                "the database has no partition for the day in the job's id"
            ) from error
        except _A_MESSAGE_IS_AT_FAULT:
            raise
        except asyncpg.PostgresError as error:  # a deadlock, a migration still to come, a broken disk
            raise DatabaseUnavailableError(f"PostgreSQL cannot record now ({error.sqlstate}).") from error

    async def _prepare_days(self, messages: Sequence[JobFinished]) -> None:
        """Create the partition of a recent day that the scheduler has not created, once a day."""
        unknown = {(message.job_id.int >> 80) // _MS_A_DAY for message in messages} - self._days
        if not unknown:
            return
        today = int(time.time() * 1000) // _MS_A_DAY
        for day in unknown.intersection((today - 1, today, today + 1)):
            async with self._database.connection() as connection:
                await connection.execute("SELECT ensure_job_partitions($1, $1)", _EPOCH + timedelta(days=day))
            self._days.add(day)


async def _record(connection: Connection, batch: Batch) -> Recorded:
    now = datetime.now(UTC)
    jobs = await load_jobs(connection, {message.job_id for message in batch.background})
    ignored, unwanted = 0, dict[UUID, int]()
    for message in batch.background:
        job = jobs.get(message.job_id)
        over = job is not None and job.ended
        if job is None or not apply(job, message, now=now):
            ignored += 1
        elif over and isinstance(message, JobStarted):
            unwanted[message.job_id] = max(message.attempt, unwanted.get(message.job_id, 0))
    await write_changes(connection, list(jobs.values()))
    crash_points.reach(CrashPoint.BILL_STARTED)
    ends = [job.end for job in jobs.values() if job.end is not None]
    await finish_locked_jobs(connection, ends)
    inserted = await insert_ended(connection, batch.synchronous)
    crash_points.reach(CrashPoint.BILL_ADDED)
    if batch.held:
        await connection.execute(_HELD, list(batch.held))
    return Recorded(
        changed=[job.job_id for job in jobs.values() if job.events or job.end is not None],
        ended=[*(end.status.value for end in ends), *inserted],
        ignored=ignored + len(batch.synchronous) - len(inserted),
        unwanted=unwanted,
    )
