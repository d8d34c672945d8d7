"""What a job was asked and answered is erased when its time is over, wherever it is."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from services.scheduler.app import running
from services.scheduler.settings import SchedulerSettings
from shared.config.settings import ObjectSettings
from shared.contracts.ids import new_id
from shared.contracts.jobs import Failure, JobStatus
from shared.errors import NotFoundError
from shared.storage.bodies import BodyStore
from shared.storage.postgres import Database
from shared.storage.transitions import JobEnd, finish_jobs
from tests.support.store import Job, Jobs, until


async def end(system: Database, job: Job, **fields: object) -> None:
    failure = Failure(code="provider_rejected", message="'my secret prompt' is refused")
    async with system.transaction() as connection:
        await connection.execute(
            """INSERT INTO job_attempts (job_id, start_id, tenant_id, attempt, worker, started_at, failure)
               VALUES ($1, $2, $3, 1, 'w', now(), '{"code": "x", "message": "my secret prompt"}')""",
            job.id,
            new_id(),
            job.tenant,
        )
        now = datetime.now(UTC)
        ended = JobEnd(job_id=job.id, status=JobStatus.FAILED, finished_at=now, failure=failure, **fields)
        assert await finish_jobs(connection, [ended])


async def erased(jobs: Jobs, job: Job) -> bool:
    return (await jobs.row(job))["erased_at"] is not None


async def test_contents_are_erased_when_the_retention_is_over_and_the_figures_stay(
    settings: SchedulerSettings, jobs: Jobs, system: Database
) -> None:
    bodies = BodyStore(
        ObjectSettings(url=SecretStr(settings.objects.url.get_secret_value()), inline_bytes=10)
    )
    over, later, for_ever = [await jobs.submit() for _ in range(3)]
    _, ref = await bodies.put(b"x" * 100, tenant_id=over.tenant, job_id=over.id, kind="result")
    await jobs.execute("UPDATE jobs SET retention_s = 1 WHERE id = $1", over.id)
    await jobs.execute("UPDATE jobs SET retention_s = 3600 WHERE id = $1", later.id)
    for job in (over, later, for_ever):
        await end(system, job, result_ref=ref if job is over else None)
    assert (await jobs.row(later))["erase_at"] - datetime.now(UTC) > timedelta(minutes=59)

    async with running(settings):
        await until(lambda: erased(jobs, over))

    row = await jobs.row(over)
    assert [row[name] for name in ("request", "request_ref", "result", "result_ref", "erase_at")] == [
        None
    ] * 5
    assert (row["status"], '"provider_rejected"' in row["failure"]) == ("failed", True)
    assert "secret" not in row["failure"]
    assert ["secret" in a["failure"] for a in (await jobs.attempts(over)).values()] == [False]
    assert await jobs.events(over) == []
    with pytest.raises(NotFoundError):
        await bodies.get(b"", ref)
    for job in (later, for_ever):
        assert (await jobs.row(job))["request"] == '{"messages":[]}'
        assert await jobs.event_types(job) == ["job.queued", "job.failed"]
