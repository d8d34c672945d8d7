"""Jobs end at their deadline, whatever happens to them."""

from services.results.adapters.job_store import JobStore
from services.results.domain.batch import Batch
from services.scheduler.app import running
from services.scheduler.settings import SchedulerSettings
from shared.contracts.ids import new_id
from shared.contracts.jobs import Failure, JobCancelRequested, JobsChanged
from shared.messaging.broker import Broker
from shared.storage.postgres import Database
from tests.support.brokers import Collector
from tests.support.store import Job, Jobs, until


async def _expired(jobs: Jobs, job: Job) -> bool:
    return (await jobs.row(job))["status"] == "expired"


async def test_overdue_jobs_expire_and_those_that_run_are_told_to_stop(
    settings: SchedulerSettings, broker: Broker, jobs: Jobs, system: Database
) -> None:
    waiting = await jobs.submit(deadline_in_s=-1, published=True)
    runs = await jobs.submit(deadline_in_s=-1, published=True)
    in_time = await jobs.submit(deadline_in_s=60, published=True)
    batch, start = Batch(), new_id()
    batch.add(runs.started(start))
    await JobStore(system).record(batch)
    heard = Collector()
    await broker.listen(heard.hear)

    async with running(settings):
        await until(lambda: _expired(jobs, waiting))
        await until(lambda: _expired(jobs, runs))
        await heard.until(lambda messages: any(m.type == JobsChanged.message_type for m in messages))

    cancels = [m for m in heard.messages if m.type == JobCancelRequested.message_type]
    assert [JobCancelRequested.decode(message.body).job_id for message in cancels] == [runs.id]
    failure = Failure.model_validate_json((await jobs.row(waiting))["failure"])
    assert (failure.code, failure.kind, failure.http_status) == ("deadline_exceeded", "timeout_error", 504)
    assert await jobs.event_types(waiting) == ["job.queued", "job.expired"]
    assert (await jobs.attempts(runs))[start]["outcome"] == "expired"
    assert await jobs.outbox(waiting) is await jobs.outbox(runs) is None
    assert (await jobs.row(in_time))["status"] == "queued"


async def test_a_job_that_waits_for_a_retry_expires_too(settings: SchedulerSettings, jobs: Jobs) -> None:
    job = await jobs.submit(due_in_s=3600, deadline_in_s=0.3)
    async with running(settings):
        await until(lambda: _expired(jobs, job))
