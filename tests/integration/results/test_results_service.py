"""The service as it runs: from the results queue to the database and the broadcast."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.results.app import running
from services.results.settings import ResultsSettings
from shared.contracts.base import Contract
from shared.contracts.ids import first_id_at, new_id
from shared.contracts.jobs import JobsCancelRequested, JobsChanged, JobStatus
from shared.contracts.records import JobRecords
from shared.messaging.announcements import announce_changes
from shared.messaging.broker import Broker, Message
from shared.messaging.dead_letters import DeadLetterChoice
from shared.messaging.topology import (
    RESULTS_DELTA,
    RESULTS_FINISHED,
    RESULTS_QUEUE,
    RESULTS_STARTED,
)
from shared.runtime.engines.postgres import EmbeddedPostgres
from shared.runtime.health import Health
from shared.storage.migrate import migrate
from shared.storage.postgres import Database
from shared.storage.transitions import JobEnd, finish_jobs
from tests.support.brokers import Collector, pgmq_broker
from tests.support.services import service_settings
from tests.support.store import Job, Jobs, until

OF_2020 = first_id_at(datetime(2020, 1, 1, tzinfo=UTC))


@pytest.fixture
async def broker(migrated_url: str) -> AsyncGenerator[Broker, None]:
    async with pgmq_broker(migrated_url) as broker:
        yield broker


@pytest.fixture
def settings(migrated_url: str, tmp_path: Path) -> ResultsSettings:
    return service_settings(ResultsSettings, url=migrated_url, folder=tmp_path)


@pytest.fixture
async def service(settings: ResultsSettings, broker: Broker) -> AsyncGenerator[Health, None]:
    async with running(settings) as health:
        yield health


async def send(broker: Broker, topic: str, message: Contract) -> None:
    await broker.publish(topic, Message(type=message.message_type, body=message.encode()))


def gathered(*messages: Contract) -> JobRecords:
    return JobRecords.gather(messages[0].message_type, [message.encode() for message in messages])


async def status(jobs: Jobs, job: Job) -> str:
    return (await jobs.row(job))["status"]


async def test_a_worker_that_begins_a_job_after_its_end_is_told_to_stop(
    service: Health, broker: Broker, app: Database, jobs: Jobs
) -> None:
    """Who cancelled it died before it could say so."""
    job, over = await jobs.submit(), JobsCancelRequested.message_type
    end = JobEnd(job_id=job.id, status=JobStatus.CANCELLED, finished_at=datetime.now(UTC))
    async with app.transaction(job.tenant) as connection:
        await finish_jobs(connection, [end])
    heard = Collector()
    await broker.listen(heard.hear)
    await send(broker, RESULTS_STARTED, job.started(new_id()))
    await heard.until(lambda messages: any(message.type == over for message in messages))
    told = next(message for message in heard.messages if message.type == over)
    assert JobsCancelRequested.decode(told.body).attempts == {job.id: 1}


async def test_a_job_is_recorded_and_its_change_broadcast(
    service: Health, broker: Broker, jobs: Jobs
) -> None:
    job, start = await jobs.submit(), new_id()
    heard = Collector()
    await broker.listen(heard.hear)
    await send(broker, RESULTS_STARTED, job.started(start))
    await send(broker, RESULTS_DELTA, job.delta(start, 0))
    await send(broker, RESULTS_FINISHED, job.finished(start))

    await until(lambda: _is(jobs, job, "completed"))

    assert await jobs.event_types(job) == ["job.queued", "job.in_progress", "job.delta", "job.completed"]
    await heard.until(lambda messages: any(message.type == JobsChanged.message_type for message in messages))
    assert job.id in JobsChanged.decode(heard.messages[0].body).job_ids
    assert await service.report() == (True, {"postgres": "ok", "broker": "ok"})


async def test_more_changes_than_fit_into_a_broadcast_are_all_announced(broker: Broker) -> None:
    heard = Collector()
    await broker.listen(heard.hear)
    ids = [new_id() for _ in range(401)]
    await announce_changes(broker, ids)
    await heard.until(lambda messages: len(messages) == 3)
    announced = [one for message in heard.messages for one in JobsChanged.decode(message.body).job_ids]
    assert announced == ids


async def test_a_message_that_cannot_be_used_is_dead_lettered_and_stops_nothing(
    service: Health, broker: Broker, jobs: Jobs
) -> None:
    job = await jobs.submit()
    old = Job(new_id(), new_id())
    await broker.publish(RESULTS_FINISHED, Message(type="job.finished.v1", body=b"not JSON"))
    await broker.publish(RESULTS_FINISHED, Message(type="job.unheard.v1", body=b"{}"))
    ancient = old.finished(new_id(), background=False).model_copy(update={"job_id": OF_2020})
    await send(broker, RESULTS_FINISHED, ancient)
    await send(broker, RESULTS_FINISHED, job.finished(new_id()))

    await until(lambda: _is(jobs, job, "completed"))

    async def three() -> bool:
        return len(await broker.dead_letters(RESULTS_QUEUE)) == 3

    await until(three)
    letters = await broker.dead_letters(RESULTS_QUEUE)
    reasons = " | ".join(letter.reason for letter in letters)
    assert "malformed_message" in reasons
    assert "job.unheard.v1" in reasons
    assert "job_day_not_stored" in reasons
    await broker.discard_dead_letters(RESULTS_QUEUE, DeadLetterChoice.of([letter.id for letter in letters]))


async def test_records_that_came_in_one_message_are_recorded_each(
    service: Health, broker: Broker, jobs: Jobs
) -> None:
    submitted, start = [await jobs.submit() for _ in range(3)], new_id()
    await send(broker, RESULTS_STARTED, gathered(*(job.started(start) for job in submitted)))
    await send(broker, RESULTS_FINISHED, gathered(*(job.finished(start) for job in submitted)))
    for job in submitted:
        await until(lambda job=job: _is(jobs, job, "completed"))
        assert await jobs.event_types(job) == ["job.queued", "job.in_progress", "job.completed"]


async def test_a_bad_record_takes_none_of_its_message_with_it(
    service: Health, broker: Broker, jobs: Jobs
) -> None:
    first, last = await jobs.submit(), await jobs.submit()
    ancient = Job(OF_2020, new_id()).finished(new_id(), background=False)
    message = gathered(first.finished(new_id()), ancient, last.finished(new_id()))

    await send(broker, RESULTS_FINISHED, message)

    for job in (first, last):
        await until(lambda job=job: _is(jobs, job, "completed"))
    letters = await until(lambda: broker.dead_letters(RESULTS_QUEUE))
    assert [letter.message.body for letter in letters] == [message.encode()]
    assert "1 of 3 records" in letters[0].reason
    assert "job_day_not_stored" in letters[0].reason
    await broker.discard_dead_letters(RESULTS_QUEUE, DeadLetterChoice.of([letter.id for letter in letters]))


async def test_an_outage_of_the_store_delays_and_loses_nothing(
    migrated_url: str, broker: Broker, tmp_path: Path
) -> None:
    store = EmbeddedPostgres(tmp_path / "data", tmp_path / "run")
    await asyncio.to_thread(store.start)
    try:
        await migrate(store.url)
        settings = service_settings(
            ResultsSettings, url=migrated_url, folder=tmp_path, postgres={"url": store.url}
        )
        async with (
            Database(settings.postgres, role="penstock_app", name="test") as app,
            Database(settings.postgres, role="penstock_system", name="test") as system,
            running(settings) as health,
        ):
            jobs = Jobs(app, system)
            submitted = [await jobs.submit() for _ in range(20)]
            await asyncio.to_thread(store.stop)
            for job in submitted:
                await send(broker, RESULTS_FINISHED, job.finished(new_id()))
            ready, words = await health.report()
            assert not ready
            assert words["broker"] == "ok"
            assert words["postgres"] != "ok"

            await asyncio.to_thread(store.start)

            for job in submitted:
                await until(lambda job=job: _is(jobs, job, "completed"))
            assert (await health.report())[0]
    finally:
        await asyncio.to_thread(store.stop)


async def test_what_a_stopped_service_left_is_recorded_by_the_next(
    settings: ResultsSettings, broker: Broker, jobs: Jobs
) -> None:
    submitted = [await jobs.submit() for _ in range(30)]
    for job in submitted[:15]:
        await send(broker, RESULTS_FINISHED, job.finished(new_id()))
    async with running(settings):
        await until(lambda: _is(jobs, submitted[0], "completed"))
    for job in submitted[15:]:
        await send(broker, RESULTS_FINISHED, job.finished(new_id()))
    async with running(settings):
        for job in submitted:
            await until(lambda job=job: _is(jobs, job, "completed"))
            assert await jobs.event_types(job) == ["job.queued", "job.completed"]


async def _is(jobs: Jobs, job: Job, wanted: str) -> bool:
    return await status(jobs, job) == wanted
