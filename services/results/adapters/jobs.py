"""Reads the jobs that a batch is about, and holds them until the transaction ends."""

from collections.abc import Collection
from uuid import UUID

from services.results.domain.records import Attempt, JobRecord
from shared.contracts.jobs import JobStatus, Usage
from shared.storage.postgres import Connection

_JOBS = """
SELECT id, tenant_id, status, attempt, settled_attempts, last_event, started_at, delta_start_id,
       delta_sequence
FROM jobs
WHERE id = ANY($1::uuid[]) AND id BETWEEN $2 AND $3
ORDER BY id FOR UPDATE
"""

_ATTEMPTS = """
SELECT job_id, start_id, attempt, worker, started_at, outcome, finished_at, provider,
       input_tokens, output_tokens, cached_tokens, cost_microusd
FROM job_attempts
WHERE job_id = ANY($1::uuid[]) AND job_id BETWEEN $2 AND $3
ORDER BY job_id, started_at
"""


async def load_jobs(connection: Connection, ids: Collection[UUID]) -> dict[UUID, JobRecord]:
    """Lock the jobs in the order of their ids and read them with their attempts.

    One that has ended is among them: reports of its provider calls may still come. One that there is not, is
    left out.
    """
    if not ids:
        return {}
    rows = await connection.fetch(_JOBS, list(ids), min(ids), max(ids))
    jobs = {
        row["id"]: JobRecord(
            job_id=row["id"],
            tenant_id=row["tenant_id"],
            status=JobStatus(row["status"]),
            attempt=row["attempt"],
            settled_attempts=row["settled_attempts"],
            last_event=row["last_event"],
            started_at=row["started_at"],
            current_start=row["delta_start_id"],
            delta_sequence=row["delta_sequence"],
        )
        for row in rows
    }
    if jobs:
        await _load_attempts(connection, jobs)
    return jobs


async def _load_attempts(connection: Connection, jobs: dict[UUID, JobRecord]) -> None:
    """Read the attempts after the locks, in a statement that sees what was committed until then."""
    for row in await connection.fetch(_ATTEMPTS, list(jobs), min(jobs), max(jobs)):
        jobs[row["job_id"]].attempts[row["start_id"]] = Attempt(
            start_id=row["start_id"],
            attempt=row["attempt"],
            worker=row["worker"],
            started_at=row["started_at"],
            outcome=row["outcome"],
            finished_at=row["finished_at"],
            provider=row["provider"],
            usage=Usage(
                input_tokens=row["input_tokens"],
                output_tokens=row["output_tokens"],
                cached_tokens=row["cached_tokens"],
                cost_microusd=row["cost_microusd"],
            ),
        )
