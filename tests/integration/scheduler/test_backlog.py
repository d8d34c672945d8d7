"""What waits, seen on real engines and told to everybody; and the earliest deadlines go first."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from prometheus_client import CollectorRegistry, generate_latest

from services.scheduler.adapters.outbox import OutboxTable
from services.scheduler.adapters.unpublished import UnpublishedTable
from services.scheduler.app import running
from services.scheduler.settings import SchedulerSettings
from shared.contracts.backlog import BacklogEstimated, QueueEstimate, QueueLoad, WorkerLoad
from shared.contracts.jobs import JobRequested, Lane, Operation
from shared.messaging.broker import Broker, Message
from shared.messaging.topology import job_queue, job_topic
from shared.storage.postgres import Database
from tests.support.brokers import Collector
from tests.support.store import Jobs

KIND = (Operation.EMBEDDING, Lane.BATCH)
QUEUE = job_queue(*KIND)


def estimate_of(messages: list[Message]) -> QueueEstimate | None:
    """Find the newest estimate of the queue."""
    told = [BacklogEstimated.decode(one.body) for one in messages if one.type == "backlog.estimated.v1"]
    found = [each for each in told[-1].queues if (each.operation, each.lane) == KIND] if told else []
    return found[0] if found else None


def says(expected: Callable[[QueueEstimate], bool]) -> Callable[[list[Message]], bool]:
    def check(messages: list[Message]) -> bool:
        estimate = estimate_of(messages)
        return estimate is not None and expected(estimate)

    return check


async def tell_load(broker: Broker, **load: float) -> None:
    fields = {"queue": QUEUE, "waiting": 0, "running": 0, "done": 0, "slot_s": 0.0, **load}
    contract = WorkerLoad(worker="w", queues=(QueueLoad.model_validate(fields),))
    await broker.broadcast(Message(type=contract.message_type, body=contract.encode()))


@asynccontextmanager
async def hearing(broker: Broker) -> AsyncIterator[Collector]:
    heard = Collector()
    await broker.listen(heard.hear)
    yield heard


async def test_the_leader_tells_what_waits_on_the_broker_and_in_the_hands_of_workers(
    settings: SchedulerSettings, broker: Broker
) -> None:
    often = settings.model_copy(
        update={"scheduler": settings.scheduler.model_copy(update={"backlog_interval_s": 0.05})}
    )
    registry = CollectorRegistry()
    for _ in range(5):
        await broker.publish(job_topic(*KIND), Message(type="job.requested.v1", body=b"{}\n"))
    async with hearing(broker) as heard, running(often, registry=registry):
        await heard.until(says(lambda estimate: estimate.waiting == 5))
        found = estimate_of(heard.messages)
        assert found is not None
        assert (found.per_second, found.consumers, found.wait_s) == (None, 0, None)
        await tell_load(broker, waiting=3, running=2)
        await heard.until(says(lambda estimate: (estimate.waiting, estimate.running) == (8, 2)))
        shown = generate_latest(registry).decode()
        where = f'lane="batch",operation="embedding",queue="{QUEUE}"'
        assert f"penstock_queue_depth{{{where}}} 8.0" in shown
        assert f"penstock_queue_running{{{where}}} 2.0" in shown
        assert f"penstock_queue_oldest_age_seconds{{{where}}}" in shown
        assert f"penstock_queue_wait_seconds{{{where}}}" not in shown, "nobody knows"
        async with Collector().taking(broker, QUEUE) as queue:
            await queue.until(lambda messages: len(messages) == 5)
            await heard.until(says(lambda estimate: estimate.waiting == 3 and estimate.consumers == 1))
    assert "penstock_queue" not in generate_latest(registry).decode()


async def test_jobs_that_are_due_and_not_published_are_counted_by_queue(jobs: Jobs, system: Database) -> None:
    table = UnpublishedTable(system)
    submitted = [await jobs.submit() for _ in range(3)]
    await jobs.submit(due_in_s=60)
    await jobs.submit(published=True)
    assert await table.counts() == {(Operation.CHAT, Lane.STANDARD): 3}
    await forget(jobs, [job.id for job in submitted])
    assert await table.counts() == {}


async def test_the_sweep_takes_the_earliest_deadlines_of_what_is_due(jobs: Jobs, system: Database) -> None:
    late, soon, middle, sooner = [await jobs.submit(deadline_in_s=seconds) for seconds in (3000, 20, 300, 10)]
    outbox = OutboxTable(system)
    first, claimed = await outbox.claim(2, retry_s=60)
    assert claimed == 2
    assert ids_of([job.request for job in first]) == {soon.id, sooner.id}
    rest, _ = await outbox.claim(2, retry_s=60)
    assert ids_of([job.request for job in rest]) == {late.id, middle.id}
    await forget(jobs, [job.id for job in (late, soon, middle, sooner)])


def ids_of(requests: list[JobRequested]) -> set[UUID]:
    return {request.job_id for request in requests}


async def forget(jobs: Jobs, ids: list[UUID]) -> None:
    await jobs.execute("DELETE FROM outbox WHERE job_id = ANY($1)", ids)
