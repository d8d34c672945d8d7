"""Any order of reports, cancels and expiries leaves a job in a state that a caller can rely on."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.results.adapters.job_store import JobStore
from services.results.domain.batch import Batch
from services.results.domain.lifecycle import JobMessage
from shared.contracts.jobs import JobStatus
from shared.storage.postgres import Database
from shared.storage.transitions import JobEnd, finish_jobs
from tests.support.store import Job, Jobs, settings_for

ACCOUNT = {"ambiguous_attempts", "input_tokens", "output_tokens", "cached_tokens", "cost_microusd"}
STARTS = [UUID(int=number) for number in (1, 2, 3)]
starts = st.sampled_from(STARTS)
attempts = st.integers(1, 3)
steps = st.one_of(
    st.tuples(st.just("started"), starts, attempts),
    st.tuples(st.just("delta"), starts, st.integers(0, 4)),
    st.tuples(st.just("deferred"), starts, attempts),
    st.tuples(st.just("finished"), starts, st.sampled_from([status for status in JobStatus if status.final])),
    st.tuples(st.sampled_from(["cancelled", "expired"])),
    st.tuples(st.just("commit")),
)


def message_of(job: Job, step: tuple) -> JobMessage:
    match step:
        case ("started", start, attempt):
            return job.started(start, attempt=attempt)
        case ("delta", start, sequence):
            return job.delta(start, sequence)
        case ("deferred", start, attempt):
            return job.deferred(start, attempt=attempt)
        case ("finished", start, status):
            return job.finished(start, status)
    raise AssertionError(step)


async def live(url: str, plan: list[tuple]) -> None:
    async with (
        Database(settings_for(url), role="penstock_app", name="test") as app,
        Database(settings_for(url), role="penstock_system", name="test") as system,
    ):
        jobs, store, batch = Jobs(app, system), JobStore(system), Batch()
        job = await jobs.submit()
        for step in [*plan, ("commit",)]:
            ended = (await jobs.row(job))["finished_at"] is not None
            before = await end_of(jobs, job) if ended else None
            if step[0] in ("cancelled", "expired"):
                whose = (app, job.tenant) if step[0] == "cancelled" else (system, None)
                end = JobEnd(job_id=job.id, status=JobStatus(step[0]), finished_at=datetime.now(UTC))
                async with whose[0].transaction(whose[1]) as connection:
                    assert await finish_jobs(connection, [end]) == (set() if ended else {job.id})
            elif step[0] == "commit":
                await store.record(batch)
                await store.record(batch)
                batch = Batch()
            else:
                batch.add(message_of(job, step))
            if before is not None:
                assert await end_of(jobs, job) == before
            await check(jobs, job)


async def end_of(jobs: Jobs, job: Job) -> tuple[dict[str, object], list[tuple[int, str, str]]]:
    """Return all that must not change any more; late reports of calls are still added to the account."""
    row = await jobs.row(job)
    return {name: value for name, value in row.items() if name not in ACCOUNT}, await jobs.events(job)


async def check(jobs: Jobs, job: Job) -> None:
    row, outbox = await jobs.row(job), await jobs.outbox(job)
    types, attempts = await jobs.event_types(job), (await jobs.attempts(job)).values()
    status = JobStatus(row["status"])
    ends = [event for event in types if JobStatus.__members__.get(event[4:].upper(), status).final]
    assert row["last_event"] == len(types)
    if status.final:
        assert types[-1] == f"job.{status}"
        assert outbox is None
        assert all(attempt["outcome"] != "started" for attempt in attempts)
        assert len([event for event in ends if event not in ("job.delta", "job.retrying")]) == 1
    else:
        assert outbox is not None
        assert outbox["attempt"] == row["attempt"]
        assert not any(event == f"job.{final}" for event in types for final in JobStatus if final.final)
        assert sum(attempt["outcome"] == "started" for attempt in attempts) <= len(STARTS)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(steps, max_size=14))
def test_a_job_ends_at_most_once_and_stays_ended(plan: list[tuple], migrated_url: str) -> None:
    asyncio.run(live(migrated_url, plan))
