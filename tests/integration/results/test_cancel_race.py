"""A cancel against a completion in the same moment: one of them wins, and everything agrees with it."""

import asyncio
import random
from datetime import UTC, datetime
from uuid import UUID

from services.results.adapters.job_store import JobStore
from services.results.domain.batch import Batch
from services.results.domain.lifecycle import JobMessage
from shared.contracts.ids import new_id
from shared.contracts.jobs import JobStatus
from shared.storage.postgres import Database
from shared.storage.transitions import JobEnd, finish_jobs
from tests.support.store import Job, Jobs

JOBS = 200
AT_A_TIME = 10


async def test_of_a_cancel_and_a_completion_in_the_same_moment_one_wins_and_the_call_is_accounted_for(
    jobs: Jobs, app: Database, system: Database
) -> None:
    tenant, store = new_id(), JobStore(system)
    submitted = [await jobs.submit(tenant=tenant) for _ in range(JOBS)]
    starts = {job.id: new_id() for job in submitted}
    await _record(store, *(job.started(starts[job.id]) for job in submitted))
    cancelled: set[UUID] = set()

    async def cancel(some: list[Job]) -> None:
        now = datetime.now(UTC)
        ends = [JobEnd(job_id=job.id, status=JobStatus.CANCELLED, finished_at=now) for job in some]
        async with app.transaction(tenant) as connection:
            cancelled.update(await finish_jobs(connection, ends))

    async def complete(some: list[Job]) -> None:
        await _record(store, *(job.finished(starts[job.id]) for job in some))

    async with asyncio.TaskGroup() as group:
        for work in (cancel, complete):
            order = random.sample(submitted, JOBS)
            for at in range(0, JOBS, AT_A_TIME):
                group.create_task(work(order[at : at + AT_A_TIME]))

    assert 0 < len(cancelled) < JOBS, "no race"
    for job in submitted:
        row, types = await jobs.row(job), await jobs.event_types(job)
        status = "cancelled" if job.id in cancelled else "completed"
        assert (row["status"], types) == (status, ["job.queued", "job.in_progress", f"job.{status}"])
        assert (row["result"] is None) == (status == "cancelled")
        # The call was made and is paid for, whoever won.
        assert [a["outcome"] for a in (await jobs.attempts(job)).values()] == ["completed"]
        assert await jobs.outbox(job) is None


async def _record(store: JobStore, *messages: JobMessage) -> None:
    batch = Batch()
    for message in messages:
        batch.add(message)
    await store.record(batch)
