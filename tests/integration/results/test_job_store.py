"""Batches of messages against the real store."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from services.results.adapters.job_store import JobExpiredFromStoreError, JobStore
from services.results.domain.batch import Batch, Recorded
from shared.contracts.ids import first_id_at, new_id
from shared.contracts.jobs import Failure, JobsHeld, JobStatus, Usage
from shared.errors import DatabaseUnavailableError
from shared.storage.postgres import Database
from shared.storage.transitions import JobEnd, finish_jobs
from tests.support.store import Job, Jobs


@pytest.fixture
def store(system: Database) -> JobStore:
    return JobStore(system)


async def record(store: JobStore, *messages: object) -> Recorded:
    batch = Batch()
    for message in messages:
        batch.add(message)
    return await store.record(batch)


async def test_a_whole_life_in_one_batch(store: JobStore, jobs: Jobs) -> None:
    job, start = await jobs.submit(), new_id()
    recorded = await record(
        store, job.started(start), job.delta(start, 0), job.delta(start, 1), job.finished(start)
    )
    assert recorded == Recorded(changed=[job.id], ended=["completed"], ignored=0)
    assert await jobs.event_types(job) == [
        "job.queued",
        "job.in_progress",
        "job.delta",
        "job.delta",
        "job.completed",
    ]
    row = await jobs.row(job)
    assert (row["status"], row["result"], row["provider_model"]) == ("completed", '{"id":"1"}', "echo")
    assert (row["input_tokens"], row["output_tokens"], row["cost_microusd"]) == (3, 5, 7)
    assert row["started_at"] is not None
    attempt = (await jobs.attempts(job))[start]
    assert (attempt["outcome"], attempt["cost_microusd"], attempt["worker"]) == ("completed", 7, "worker-1")
    assert await jobs.outbox(job) is None


async def test_the_same_life_message_by_message_and_twice_over(store: JobStore, jobs: Jobs) -> None:
    job, start = await jobs.submit(), new_id()
    messages = [job.started(start), job.delta(start, 0), job.delta(start, 1), job.finished(start)]
    for message in messages:
        assert (await record(store, message)).ignored == 0
        assert (await record(store, message)).ignored == 1
    before = await jobs.row(job)
    assert await record(store, *messages) == Recorded(changed=[], ended=[], ignored=4)
    assert await jobs.row(job) == before
    assert len(await jobs.event_types(job)) == 5


async def test_a_start_marks_the_outbox_published_and_held(store: JobStore, jobs: Jobs) -> None:
    job = await jobs.submit()
    await record(store, job.started(new_id()))
    row = await jobs.outbox(job)
    assert row is not None
    assert row["published_at"] is not None
    assert row["held_at"] is not None


async def test_a_sign_of_life_is_noted_for_open_jobs(store: JobStore, jobs: Jobs) -> None:
    job = await jobs.submit(published=True)
    await record(store, JobsHeld(worker="w", job_ids=(job.id, new_id()), held_at=datetime.now(UTC)))
    row = await jobs.outbox(job)
    assert row is not None
    assert row["held_at"] is not None
    assert (await jobs.row(job))["status"] == "queued"


async def test_two_starts_make_one_ambiguous_attempt(store: JobStore, jobs: Jobs) -> None:
    job, first, second = await jobs.submit(), new_id(), new_id()
    await record(store, job.started(first))
    await record(store, job.started(second), job.finished(second))
    outcomes = {start: attempt["outcome"] for start, attempt in (await jobs.attempts(job)).items()}
    assert outcomes == {first: "ambiguous", second: "completed"}
    assert (await jobs.row(job))["ambiguous_attempts"] == 1


async def test_of_two_starts_one_is_ambiguous_whichever_of_them_answers(store: JobStore, jobs: Jobs) -> None:
    job, first, second = await jobs.submit(), new_id(), new_id()
    await record(store, job.started(first), job.started(second))
    await record(store, job.finished(first))
    outcomes = {start: attempt["outcome"] for start, attempt in (await jobs.attempts(job)).items()}
    assert outcomes == {first: "completed", second: "ambiguous"}
    assert (await jobs.row(job))["ambiguous_attempts"] == 1


async def test_a_deferred_job_waits_in_the_outbox_for_its_next_attempt(store: JobStore, jobs: Jobs) -> None:
    job, first, second = await jobs.submit(published=True), new_id(), new_id()
    deferral = job.deferred(first, usage=Usage(input_tokens=2, cost_microusd=3))
    await record(store, job.started(first), deferral)

    row, outbox = await jobs.row(job), await jobs.outbox(job)
    assert (row["status"], row["attempt"]) == ("queued", 2)
    assert outbox is not None
    assert (outbox["attempt"], outbox["publication"], outbox["due_at"]) == (2, 1, deferral.retry_at)
    assert outbox["published_at"] is outbox["held_at"] is None
    assert (await record(store, deferral)).ignored == 1

    await record(store, job.started(second, attempt=2), job.finished(second, attempt=2))
    row = await jobs.row(job)
    assert (row["status"], row["input_tokens"], row["cost_microusd"]) == ("completed", 5, 10)
    assert await jobs.event_types(job) == [
        "job.queued",
        "job.in_progress",
        "job.retrying",
        "job.in_progress",
        "job.completed",
    ]


async def test_a_result_after_a_cancel_changes_nothing_but_the_account(
    store: JobStore, jobs: Jobs, app: Database
) -> None:
    job, start = await jobs.submit(), new_id()
    await record(store, job.started(start))
    async with app.transaction(job.tenant) as connection:
        cancel = JobEnd(job_id=job.id, status=JobStatus.CANCELLED, finished_at=datetime.now(UTC))
        await finish_jobs(connection, [cancel])
    before = await jobs.row(job)
    late = [job.delta(start, 0), job.started(start), job.finished(start), job.finished(start)]
    assert await record(store, *late) == Recorded(changed=[], ended=[], ignored=3)
    used = {"input_tokens": 3, "output_tokens": 5, "cost_microusd": 7}
    assert await jobs.row(job) == before | used


async def test_a_large_result_is_kept_by_reference(store: JobStore, jobs: Jobs) -> None:
    job = await jobs.submit()
    await record(store, job.finished(new_id(), body=b"", body_ref="2026-01-01/x"))
    row = await jobs.row(job)
    assert (row["result"], row["result_ref"]) == (None, "2026-01-01/x")


@pytest.mark.parametrize(
    "body", [b'{"a":"\xff"}', b'{"a":"\x00"}', b'{"a":"\\u0000\\ud800"}', b"\xed\xa0\x80"]
)
async def test_an_answer_that_is_no_text_is_stored_with_replacements(
    body: bytes, store: JobStore, jobs: Jobs
) -> None:
    job = await jobs.submit()
    failure = Failure(code="x", message="nul \0")
    await record(store, job.finished(new_id(), JobStatus.INCOMPLETE, body=body, failure=failure))
    assert (await jobs.row(job))["result"] == body.decode("utf-8", "replace").replace("\0", "\ufffd")


async def test_a_synchronous_call_gets_its_row_once(store: JobStore, jobs: Jobs) -> None:
    job = Job(new_id(), new_id())
    expired = job.finished(None, JobStatus.EXPIRED, background=False, request_id="r\0")
    answer = job.finished(new_id(), background=False)
    recorded = await record(store, expired, answer, expired)
    assert recorded == Recorded(changed=[], ended=["expired"], ignored=2)
    assert await record(store, answer) == Recorded(changed=[], ended=[], ignored=1)
    row = await jobs.row(job)
    assert (row["status"], row["background"], row["request_id"]) == ("expired", False, "r\ufffd")
    assert row["deadline_at"] == row["finished_at"]


async def test_messages_about_unknown_jobs_are_ignored(store: JobStore) -> None:
    job = Job(first_id_at(datetime(2020, 1, 1, tzinfo=UTC)), new_id())
    recorded = await record(store, job.started(new_id()), job.finished(new_id()))
    assert recorded == Recorded(changed=[], ended=[], ignored=2)


async def test_the_partition_of_a_recent_day_is_created_when_it_is_missing(
    store: JobStore, jobs: Jobs
) -> None:
    today = datetime.now(UTC)
    await jobs.execute(f"DROP TABLE IF EXISTS jobs_{today - timedelta(days=40):%Y%m%d}")
    job = Job(first_id_at(today - timedelta(days=1)), new_id())
    assert (await record(store, job.finished(new_id(), background=False))).ended == ["completed"]


@pytest.mark.parametrize(
    "job_id", [first_id_at(datetime(2020, 1, 1, tzinfo=UTC)), UUID(int=0), UUID(int=2**128 - 1)]
)
async def test_a_synchronous_call_of_a_day_that_is_not_stored_is_refused_with_its_reason(
    job_id: UUID, store: JobStore
) -> None:
    with pytest.raises(JobExpiredFromStoreError, match="no partition"):
        await record(store, Job(job_id, new_id()).finished(new_id(), background=False))


async def test_events_have_no_gap_when_batches_and_cancels_race(
    store: JobStore, jobs: Jobs, app: Database
) -> None:
    chance = random.Random(3)  # noqa: S311 - orders test data
    batch = [await jobs.submit() for _ in range(12)]
    starts = {job.id: [new_id(), new_id()] for job in batch}

    async def report(which: int) -> None:
        for step in range(4):
            messages = []
            for job in chance.sample(batch, len(batch)):
                start = starts[job.id][which]
                messages.append(job.started(start) if step == 0 else job.delta(start, step))
                if step == 3:
                    messages.append(job.finished(start))
            await record(store, *messages)

    async def cancel() -> None:
        for job in batch[::3]:
            async with app.transaction(job.tenant) as connection:
                end = JobEnd(job_id=job.id, status=JobStatus.CANCELLED, finished_at=datetime.now(UTC))
                await finish_jobs(connection, [end])

    await asyncio.gather(report(0), report(1), cancel())

    for job in batch:
        types = await jobs.event_types(job)
        assert sum(event_type in ("job.completed", "job.cancelled") for event_type in types) == 1
        assert types[-1] in ("job.completed", "job.cancelled")
        row = await jobs.row(job)
        assert row["last_event"] == len(types)
        assert await jobs.outbox(job) is None


async def test_a_schema_that_does_not_fit_yet_loses_no_outcome(
    store: JobStore, jobs: Jobs, migrated_url: str
) -> None:
    job = await jobs.submit()
    with psycopg.connect(migrated_url, autocommit=True) as owner:
        owner.execute("ALTER TABLE jobs RENAME COLUMN delta_sequence TO later")
        try:
            with pytest.raises(DatabaseUnavailableError):
                await record(store, job.finished(new_id()))
        finally:
            owner.execute("ALTER TABLE jobs RENAME COLUMN later TO delta_sequence")
    await record(store, job.finished(new_id()))
    assert (await jobs.row(job))["status"] == "completed"
