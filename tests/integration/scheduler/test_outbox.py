"""Jobs that are due and not on the broker get there."""

from datetime import UTC, datetime

import pytest

from services.scheduler.adapters.outbox import OutboxTable
from services.scheduler.app import running
from services.scheduler.domain.sweep import OutboxSweep
from services.scheduler.settings import SchedulerSettings
from shared.contracts.jobs import JobRequested, Lane, Operation
from shared.errors import BrokerUnavailableError, PublishOutcomeUnknownError, UnroutableMessageError
from shared.messaging.broker import Broker, Message
from shared.messaging.topology import job_queue
from shared.storage.outbox import Publication, mark_published
from shared.storage.postgres import Database
from tests.support.brokers import Collector
from tests.support.store import Job, Jobs, until

QUEUE = job_queue(Operation.CHAT, Lane.STANDARD)


async def published(jobs: Jobs, job: Job) -> bool:
    row = await jobs.outbox(job)
    return row is not None and row["published_at"] is not None


class Unwilling:
    """A broker that publishes nothing."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.offered: list[Message] = []

    async def publish(self, topic: str, message: Message) -> None:
        self.offered.append(message)
        raise self.error


async def test_a_job_whose_ingress_died_before_the_publish_is_published_as_submitted(
    settings: SchedulerSettings, broker: Broker, jobs: Jobs
) -> None:
    job = await jobs.submit(request='{"messages":[{"content":"ä\\n"}]}')
    async with Collector().taking(broker, QUEUE) as queue, running(settings):
        await queue.until(lambda messages: len(messages) == 1)
        await until(lambda: published(jobs, job))
    request = JobRequested.decode(queue.messages[0].body)
    assert (request.job_id, request.tenant_id) == (job.id, job.tenant)
    assert (request.attempt, request.publication, request.max_attempts) == (1, 1, 3)
    assert request.background
    assert request.body == '{"messages":[{"content":"ä\\n"}]}'.encode()
    assert queue.messages[0].headers["traceparent"] == "00-abc-def-01"
    assert queue.messages[0].correlation_id == str(job.id)


async def test_a_job_is_not_published_before_it_is_due_and_soon_after(
    settings: SchedulerSettings, broker: Broker, jobs: Jobs
) -> None:
    job = await jobs.submit(due_in_s=0.7)
    due_at = (await jobs.outbox(job) or {})["due_at"]
    async with Collector().taking(broker, QUEUE) as queue, running(settings):
        await queue.until(lambda messages: len(messages) == 1)
        assert due_at <= datetime.now(UTC)
        await until(lambda: published(jobs, job))
    row = await jobs.outbox(job)
    assert row is not None
    assert (row["published_at"] - due_at).total_seconds() < 0.5


async def test_a_published_job_is_left_alone(settings: SchedulerSettings, broker: Broker, jobs: Jobs) -> None:
    await jobs.submit(published=True)
    last = await jobs.submit(due_in_s=0.3)
    async with Collector().taking(broker, QUEUE) as queue, running(settings):
        await until(lambda: published(jobs, last))
        await queue.until(lambda messages: len(messages) == 1)
    assert [JobRequested.decode(message.body).job_id for message in queue.messages] == [last.id]


async def test_more_jobs_than_a_batch_are_all_published(
    settings: SchedulerSettings, broker: Broker, jobs: Jobs
) -> None:
    submitted = {(await jobs.submit()).id for _ in range(45)}
    small = settings.model_copy(
        update={"scheduler": settings.scheduler.model_copy(update={"outbox_batch": 10})}
    )
    async with Collector().taking(broker, QUEUE) as queue, running(small):
        await queue.until(lambda messages: len(messages) >= 45)
    assert {JobRequested.decode(message.body).job_id for message in queue.messages} == submitted


@pytest.mark.parametrize(
    "error",
    [BrokerUnavailableError("down"), PublishOutcomeUnknownError("?"), UnroutableMessageError("no queue")],
)
async def test_what_cannot_be_published_stays_and_is_tried_again_later(
    error: Exception, jobs: Jobs, system: Database
) -> None:
    job = await jobs.submit()
    broker = Unwilling(error)
    sweep = OutboxSweep(outbox=OutboxTable(system), broker=broker, batch=10, retry_s=0.3)

    await sweep()
    await sweep()
    assert len(broker.offered) == 1

    async def offered_again() -> bool:
        await sweep()
        return len(broker.offered) == 2

    await until(offered_again)
    assert not await published(jobs, job)
    await jobs.execute("DELETE FROM outbox WHERE job_id = $1", job.id)


async def test_two_sweeps_at_once_share_the_work(jobs: Jobs, system: Database) -> None:
    submitted = {(await jobs.submit()).id for _ in range(20)}
    outbox = OutboxTable(system)
    first, _ = await outbox.claim(12, retry_s=60)
    second, _ = await outbox.claim(100, retry_s=60)
    assert len(first) == 12
    ids = [job.request.job_id for job in (*first, *second)]
    assert len(ids) == len(set(ids))
    assert set(ids) == submitted
    await outbox.mark([job.publication for job in (*first, *second)])


async def test_a_mark_of_an_older_publication_or_of_another_tenant_counts_for_nothing(
    jobs: Jobs, app: Database
) -> None:
    job = await jobs.submit(due_in_s=60)
    for tenant, one in (
        (job.tenant, Publication(job.id, 1, 2)),
        (job.tenant, Publication(job.id, 2, 1)),
        ((await jobs.submit(due_in_s=60)).tenant, Publication(job.id, 1, 1)),
    ):
        async with app.transaction(tenant) as connection:
            await mark_published(connection, [one])
        assert not await published(jobs, job)
    async with app.transaction(job.tenant) as connection:
        await mark_published(connection, [Publication(job.id, 1, 1)])
    assert await published(jobs, job)
