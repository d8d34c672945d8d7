"""Every start of a provider call is recorded and paid for once, in whatever order word of it comes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest

from services.results.adapters.job_store import JobStore
from services.results.domain.lifecycle import JobMessage
from shared.contracts.ids import first_id_at
from shared.contracts.jobs import JobStatus, Usage
from shared.storage.postgres import Database
from shared.storage.transitions import JobEnd, finish_jobs
from tests.integration.results.test_job_store import record
from tests.support.store import Job, Jobs

USAGE = Usage(input_tokens=3, output_tokens=5, cost_microusd=7)


@pytest.fixture
def store(system: Database) -> JobStore:
    return JobStore(system)


def ids(count: int) -> Sequence[UUID]:
    """Make ids of starts a second apart."""
    return [first_id_at(datetime.now(UTC) + timedelta(seconds=number)) for number in range(count)]


async def outcomes(jobs: Jobs, job: Job) -> dict[UUID, str]:
    return {start: attempt["outcome"] for start, attempt in (await jobs.attempts(job)).items()}


async def test_a_start_of_which_word_comes_after_the_end_is_recorded_as_ambiguous(
    store: JobStore, jobs: Jobs
) -> None:
    """A worker died, and results gave its announcement back: another start and end are recorded first."""
    job, (first, second) = await jobs.submit(), ids(2)
    await record(store, job.started(second))
    await record(store, job.finished(second))
    before, events = await jobs.row(job), await jobs.events(job)
    late = job.started(first)
    for ignored in (0, 1, 1):
        assert (await record(store, late)).ignored == ignored
    assert await outcomes(jobs, job) == {first: "ambiguous", second: "completed"}
    assert await jobs.row(job) == before | {"ambiguous_attempts": 1}
    assert await jobs.events(job) == events


async def test_an_end_whose_own_start_comes_late_is_one_call(store: JobStore, jobs: Jobs) -> None:
    job, (start,) = await jobs.submit(), ids(1)
    await record(store, job.finished(start))
    assert (await jobs.attempts(job))[start]["cost_microusd"] == 7
    await record(store, job.started(start))
    await record(store, job.started(start), job.finished(start))
    attempt = (await jobs.attempts(job))[start]
    assert (attempt["outcome"], attempt["worker"], attempt["cost_microusd"]) == ("completed", "worker-1", 7)
    row = await jobs.row(job)
    assert (row["ambiguous_attempts"], row["cost_microusd"]) == (0, 7)


@pytest.mark.parametrize("batched", [True, False])
async def test_the_account_is_the_same_in_every_order_of_the_reports(
    batched: bool, store: JobStore, jobs: Jobs
) -> None:
    """Two starts of the first attempt, one of which deferred it, and one of the second, which ended it."""
    for order in permutations(range(4)):
        job, (lost, deferring, ending) = await jobs.submit(), ids(3)
        await record(store, job.deferred(deferring, usage=USAGE))
        rest: list[JobMessage] = [
            job.started(lost),
            job.started(deferring),
            job.started(ending, attempt=2),
            job.finished(ending, attempt=2),
        ]
        messages = [rest[number] for number in order]
        for batch in [messages] if batched else [[message] for message in messages]:
            await record(store, *batch)
        assert await outcomes(jobs, job) == {lost: "ambiguous", deferring: "deferred", ending: "completed"}
        row = await jobs.row(job)
        assert (row["attempt"], row["ambiguous_attempts"], row["cost_microusd"]) == (2, 1, 14), order


@pytest.mark.parametrize("usage", [USAGE, Usage()])
@pytest.mark.parametrize("status", [JobStatus.CANCELLED, JobStatus.COMPLETED])
async def test_what_a_call_used_before_its_job_was_cancelled_is_added_once(
    usage: Usage, status: JobStatus, store: JobStore, jobs: Jobs, app: Database
) -> None:
    job, (start,) = await jobs.submit(), ids(1)
    await record(store, job.started(start))
    async with app.transaction(job.tenant) as connection:
        cancel = JobEnd(job_id=job.id, status=JobStatus.CANCELLED, finished_at=datetime.now(UTC))
        await finish_jobs(connection, [cancel])
    before, events = await jobs.row(job), await jobs.events(job)
    for _ in range(2):
        await record(store, job.finished(start, status, usage=usage))
    accounted = {"input_tokens", "output_tokens", "cost_microusd"}
    row = await jobs.row(job)
    assert {name for name in row if row[name] != before[name]} == (accounted if usage == USAGE else set())
    assert (row["status"], row["cost_microusd"]) == ("cancelled", usage.cost_microusd)
    assert (await jobs.attempts(job))[start]["input_tokens"] == usage.input_tokens
    assert await jobs.events(job) == events


async def test_a_superseded_call_that_ends_after_the_job_is_paid_too(store: JobStore, jobs: Jobs) -> None:
    job, (first, second) = await jobs.submit(), ids(2)
    await record(store, job.started(first), job.started(second), job.finished(second))
    for _ in range(2):
        await record(store, job.finished(first))
    row = await jobs.row(job)
    assert await outcomes(jobs, job) == {first: "completed", second: "completed"}
    assert (row["ambiguous_attempts"], row["cost_microusd"]) == (1, 14)


async def test_an_older_start_of_which_word_comes_late_takes_nothing_over(
    store: JobStore, jobs: Jobs
) -> None:
    job, (older, newer) = await jobs.submit(), ids(2)
    await record(store, job.started(newer), job.delta(newer, 0))
    await record(store, job.started(older), job.delta(older, 0), job.delta(newer, 1))
    await record(store, job.finished(older, JobStatus.FAILED))
    assert (await jobs.row(job))["status"] == "in_progress"
    await record(store, job.finished(newer, JobStatus.FAILED))
    assert await jobs.event_types(job) == [
        "job.queued",
        "job.in_progress",
        "job.delta",
        "job.delta",
        "job.failed",
    ]
    row = await jobs.row(job)
    assert (row["ambiguous_attempts"], row["cost_microusd"]) == (1, 14)


async def test_the_deferral_of_an_older_start_does_not_put_off_the_newer_one(
    store: JobStore, jobs: Jobs
) -> None:
    job, (older, newer) = await jobs.submit(), ids(2)
    await record(store, job.started(newer), job.deferred(older), job.started(older))
    row = await jobs.row(job)
    assert (row["status"], row["attempt"], row["ambiguous_attempts"]) == ("in_progress", 1, 1)
    assert await outcomes(jobs, job) == {older: "deferred", newer: "started"}
