"""Jobs end once, whoever ends them, under both roles."""

import asyncio
import contextlib
import random
from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest

from shared.contracts.ids import new_id
from shared.contracts.jobs import Failure, JobStatus, Usage
from shared.storage.postgres import Database
from shared.storage.transitions import JobEnd, finish_jobs
from tests.support.store import Job, Jobs

FINAL = [status for status in JobStatus if status.final]


def end(job: Job, status: JobStatus = JobStatus.COMPLETED, **fields: object) -> JobEnd:
    return JobEnd(job_id=job.id, status=status, finished_at=datetime.now(UTC), **fields)


async def finish(database: Database, *ends: JobEnd, tenant: UUID | None = None) -> set[UUID]:
    async with database.transaction(tenant) as connection:
        return await finish_jobs(connection, ends)


@pytest.mark.parametrize("status", FINAL)
async def test_an_open_job_ends_with_its_event_and_leaves_the_outbox(
    status: JobStatus, jobs: Jobs, system: Database
) -> None:
    job = await jobs.submit()
    failure = Failure(code="x", message="why")

    assert await finish(system, end(job, status, failure=failure, result="[1]")) == {job.id}

    row = await jobs.row(job)
    assert row["status"] == status
    assert row["result"] == "[1]"
    assert Failure.model_validate_json(row["failure"]) == failure
    assert await jobs.outbox(job) is None
    assert await jobs.event_types(job) == ["job.queued", f"job.{status}"]
    data = orjson.loads((await jobs.events(job))[1][2])
    assert data["status"] == status
    assert data["failure"]["message"] == "why"


@pytest.mark.parametrize("first", FINAL)
async def test_a_job_that_has_ended_never_changes_again(
    first: JobStatus, jobs: Jobs, system: Database
) -> None:
    job = await jobs.submit()
    await finish(system, end(job, first, result="1", usage=Usage(input_tokens=1)))
    before = await jobs.row(job)

    for status in FINAL:
        assert await finish(system, end(job, status, result="2", usage=Usage(input_tokens=9))) == set()

    assert await jobs.row(job) == before
    assert len(await jobs.events(job)) == 2


async def test_the_first_of_two_ends_in_one_batch_counts(jobs: Jobs, system: Database) -> None:
    job = await jobs.submit()
    assert await finish(system, end(job), end(job, JobStatus.FAILED)) == {job.id}
    assert (await jobs.row(job))["status"] == "completed"


async def test_ending_nothing_and_ending_the_unknown_change_nothing(system: Database) -> None:
    assert await finish(system) == set()
    assert await finish(system, end(Job(new_id(), new_id()))) == set()
    assert await finish(system, end(Job(UUID(int=2**128 - 1), new_id()))) == set()


async def test_the_application_cancels_its_own_tenants_job_only(jobs: Jobs, app: Database) -> None:
    mine, theirs = await jobs.submit(), await jobs.submit()
    await jobs.execute(
        "INSERT INTO job_attempts (job_id, start_id, tenant_id, attempt, worker, started_at) "
        "VALUES ($1, $2, $3, 1, 'w', now())",
        mine.id,
        new_id(),
        mine.tenant,
    )
    ends = [end(mine, JobStatus.CANCELLED), end(theirs, JobStatus.CANCELLED)]

    assert await finish(app, *ends, tenant=mine.tenant) == {mine.id}

    assert (await jobs.row(theirs))["status"] == "queued"
    assert await jobs.outbox(mine) is None
    assert [attempt["outcome"] for attempt in (await jobs.attempts(mine)).values()] == ["cancelled"]


async def test_without_a_tenant_the_application_ends_nothing(jobs: Jobs, app: Database) -> None:
    job = await jobs.submit()
    assert await finish(app, end(job)) == set()
    assert (await jobs.row(job))["status"] == "queued"


async def test_nul_in_texts_is_replaced(jobs: Jobs, system: Database) -> None:
    job = await jobs.submit()
    await finish(
        system,
        end(
            job,
            JobStatus.FAILED,
            failure=Failure(code="x", message="a\0b"),
            result="c\0",
            provider="p\0",
        ),
    )
    row = await jobs.row(job)
    assert Failure.model_validate_json(row["failure"]).message == "a\ufffdb"
    assert (row["result"], row["provider"]) == ("c\ufffd", "p\ufffd")


async def test_exactly_one_of_many_concurrent_ends_wins(jobs: Jobs, app: Database, system: Database) -> None:
    for _ in range(20):
        job = await jobs.submit()
        outcomes = await asyncio.gather(
            finish(app, end(job, JobStatus.CANCELLED), tenant=job.tenant),
            finish(system, end(job, JobStatus.COMPLETED)),
            finish(system, end(job, JobStatus.EXPIRED)),
            finish(app, end(job, JobStatus.CANCELLED), tenant=job.tenant),
        )
        assert sum(job.id in changed for changed in outcomes) == 1
        assert len(await jobs.event_types(job)) == 2


async def test_an_end_that_waited_for_the_winner_sees_that_it_lost(
    jobs: Jobs, app: Database, system: Database
) -> None:
    job = await jobs.submit()
    async with asyncio.TaskGroup() as group, system.transaction() as winner:
        assert await finish_jobs(winner, [end(job)]) == {job.id}
        loser = group.create_task(finish(app, end(job, JobStatus.CANCELLED), tenant=job.tenant))
        done, _ = await asyncio.wait([loser], timeout=0.2)
        assert not done
    assert loser.result() == set()
    assert (await jobs.row(job))["status"] == "completed"


async def test_an_end_that_waited_for_a_transaction_that_rolls_back_wins(
    jobs: Jobs, app: Database, system: Database
) -> None:
    job = await jobs.submit()
    async with asyncio.TaskGroup() as group:
        with contextlib.suppress(ZeroDivisionError):
            async with system.transaction() as connection:
                await finish_jobs(connection, [end(job)])
                waiting = group.create_task(finish(app, end(job, JobStatus.CANCELLED), tenant=job.tenant))
                await asyncio.wait([waiting], timeout=0.2)
                raise ZeroDivisionError
    assert waiting.result() == {job.id}
    assert await jobs.event_types(job) == ["job.queued", "job.cancelled"]


async def test_batches_with_common_jobs_in_any_order_do_not_deadlock(jobs: Jobs, system: Database) -> None:
    batch = [await jobs.submit() for _ in range(60)]
    chance = random.Random(7)  # noqa: S311 - shuffles test data

    async def end_all(status: JobStatus) -> set[UUID]:
        return await finish(system, *(end(job, status) for job in chance.sample(batch, len(batch))))

    changed = await asyncio.gather(*(end_all(status) for status in FINAL))

    assert sum(map(len, changed)) == len(batch)
    assert set.union(*changed) == {job.id for job in batch}
