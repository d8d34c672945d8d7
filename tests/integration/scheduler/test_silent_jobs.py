"""Jobs that the broker lost are put on it again."""

from services.results.adapters.job_store import JobStore
from services.results.domain.batch import Batch
from services.scheduler.adapters.silent_jobs import SilentJobsTable
from services.scheduler.app import running
from services.scheduler.settings import SchedulerSettings
from shared.contracts.ids import new_id
from shared.contracts.jobs import JobRequested, Lane, Operation
from shared.messaging.broker import Broker
from shared.messaging.topology import job_queue
from shared.storage.postgres import Database
from tests.support.brokers import Collector
from tests.support.store import Job, Jobs, until

QUEUE = job_queue(Operation.CHAT, Lane.STANDARD)
LONG_AGO = "UPDATE outbox SET published_at = now() - interval '2 minutes', held_at = NULL WHERE job_id = $1"


async def publication(jobs: Jobs, job: Job) -> int:
    return ((await jobs.outbox(job)) or {})["publication"]


async def test_jobs_that_a_broker_lost_with_its_data_are_published_anew(
    settings: SchedulerSettings, broker: Broker, jobs: Jobs
) -> None:
    lost = [await jobs.submit() for _ in range(5)]
    async with running(settings):
        for job in lost:
            await until(lambda job=job: _published(jobs, job))
        await jobs_lost(broker, jobs)
        for job in lost:
            await jobs.execute(LONG_AGO, job.id)
        async with Collector().taking(broker, QUEUE) as queue:
            await queue.until(lambda messages: len(messages) == len(lost))
    requests = [JobRequested.decode(message.body) for message in queue.messages]
    assert {request.job_id for request in requests} == {job.id for job in lost}
    assert {request.publication for request in requests} == {2}
    assert {request.attempt for request in requests} == {1}


async def test_a_job_in_a_queue_with_a_backlog_or_in_a_workers_hands_is_not_doubled(
    settings: SchedulerSettings, broker: Broker, jobs: Jobs, system: Database
) -> None:
    waiting = await jobs.submit()
    async with running(settings):
        await until(lambda: _published(jobs, waiting))
        await jobs.execute(LONG_AGO, waiting.id)
        later = await jobs.submit(due_in_s=1)  # several looks at the silent later
        await until(lambda: _published(jobs, later))
        assert await publication(jobs, waiting) == 1

        async with Collector().taking(broker, QUEUE) as queue:
            await queue.until(lambda messages: len(messages) == 2)
            await jobs.execute("UPDATE outbox SET held_at = now() WHERE job_id = $1", waiting.id)
        last = await jobs.submit(due_in_s=1)
        await until(lambda: _published(jobs, last))
        assert await publication(jobs, waiting) == 1


async def test_an_attempt_that_was_published_too_often_is_left_to_its_deadline(
    settings: SchedulerSettings, jobs: Jobs, system: Database
) -> None:
    table = SilentJobsTable(system, max_publications=settings.scheduler.max_publications)
    kind = (Operation.CHAT, Lane.STANDARD)
    job = await jobs.submit(published=True)
    for number in range(1, settings.scheduler.max_publications + 2):
        await jobs.execute(LONG_AGO, job.id)
        renewed = number < settings.scheduler.max_publications
        assert (await table.renew(kind, after_s=60, limit=10), await table.kinds(after_s=60)) == (
            renewed,
            [],
        )
    assert await publication(jobs, job) == settings.scheduler.max_publications


async def test_a_renewed_job_that_turns_out_to_run_is_not_published_again(
    jobs: Jobs, system: Database
) -> None:
    job = await jobs.submit()
    batch = Batch()
    batch.add(job.started(new_id()))
    await JobStore(system).record(batch)
    assert await _published(jobs, job)


async def jobs_lost(broker: Broker, jobs: Jobs) -> None:
    """Take everything off the queue behind the fleet's back, as if the broker's disk were new."""
    async with Collector().taking(broker, QUEUE) as thief:
        await thief.until(lambda messages: len(messages) >= 5)

    async def empty() -> bool:
        return (await broker.stats(QUEUE)).ready == 0

    await until(empty)


async def _published(jobs: Jobs, job: Job) -> bool:
    row = await jobs.outbox(job)
    return row is not None and row["published_at"] is not None
