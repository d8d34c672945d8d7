"""Records a batch in one transaction: lock and read the jobs, apply the messages, write what changed."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import asyncpg

from services.results.adapters.changes import write_changes
from services.results.adapters.open_jobs import load_open_jobs
from services.results.adapters.synchronous import insert_ended
from services.results.domain.batch import Batch, Recorded
from services.results.domain.lifecycle import apply
from shared.contracts.ids import first_id_at
from shared.contracts.jobs import JobFinished
from shared.errors import DatabaseUnavailableError, PenstockError
from shared.storage.postgres import Connection, Database
from shared.storage.transitions import finish_jobs

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
        self._days: set[date] = set()

    async def record(self, batch: Batch) -> Recorded:
        """Write what a batch changes; repeating it changes nothing more.

        Raises:
            DatabaseUnavailableError: Nothing is certain; record the batch again.
            JobExpiredFromStoreError: A synchronous job is of a day that is not stored.
        """
        try:
            await self._prepare_days(batch.synchronous)
            async with self._database.transaction() as connection:
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
        today = datetime.now(UTC).date()
        for day in (today + timedelta(days=offset) for offset in (-1, 0, 1)):
            if day not in self._days and any(_is_of(day, message.job_id) for message in messages):
                async with self._database.transaction() as connection:
                    await connection.execute("SELECT ensure_job_partitions($1, $1)", day)
                self._days.add(day)


def _is_of(day: date, job_id: UUID) -> bool:
    midnight = datetime.combine(day, time(), UTC)
    return first_id_at(midnight) <= job_id < first_id_at(midnight + timedelta(days=1))


async def _record(connection: Connection, batch: Batch) -> Recorded:
    now = datetime.now(UTC)
    jobs = await load_open_jobs(connection, {message.job_id for message in batch.background})
    ignored = 0
    for message in batch.background:
        job = jobs.get(message.job_id)
        if job is None or not apply(job, message, now=now):
            ignored += 1
    await write_changes(connection, list(jobs.values()))
    ends = [job.end for job in jobs.values() if job.end is not None]
    await finish_jobs(connection, ends)
    inserted = await insert_ended(connection, batch.synchronous)
    if batch.held:
        await connection.execute(_HELD, list(batch.held))
    return Recorded(
        changed=[job.job_id for job in jobs.values() if job.events or job.end is not None],
        ended=[*(end.status.value for end in ends), *inserted],
        ignored=ignored + len(batch.synchronous) - len(inserted),
    )
