"""What must not be lost or left waiting when something beside the provider fails."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from services.provider_worker.adapters.claims import Claims
from services.provider_worker.domain.assembly import Assembly
from shared.contracts.jobs import JobFinished, JobStatus
from shared.errors import BrokerUnavailableError, ObjectStoreUnavailableError
from shared.messaging.postgres.broker import PostgresBroker
from shared.messaging.topology import RESULTS_FINISHED
from shared.storage.bodies import BodyStore
from tests.integration.provider_worker.harness import Surroundings, requested


async def test_a_result_is_published_until_the_broker_takes_it(around: Surroundings, monkeypatch):
    publish, failures = PostgresBroker.publish, [BrokerUnavailableError("away")] * 3

    async def flaky(self, topic, message):
        if topic == RESULTS_FINISHED and failures:
            raise failures.pop()
        await publish(self, topic, message)

    monkeypatch.setattr(PostgresBroker, "publish", flaky)
    request = requested(simulator={"key": "flaky"})
    async with around.worker():
        _, answer = await around.ask(request)
        record = await around.records.end_of(request.job_id)
    assert answer == record
    assert not failures
    assert (await around.provider_calls("flaky"))["calls"] == 1


async def test_a_worker_that_stops_before_the_broker_takes_a_record_hands_its_job_back(
    around: Surroundings, monkeypatch
):
    publish = PostgresBroker.publish

    async def away(self, topic, message):
        if topic == RESULTS_FINISHED:
            raise BrokerUnavailableError("away")
        await publish(self, topic, message)

    around.settings["shutdown_grace_s"] = 0.1
    request = requested(simulator={"key": "unrecorded"})
    with monkeypatch.context() as patched:
        patched.setattr(PostgresBroker, "publish", away)
        async with around.worker():
            _, answer = await around.ask(request)
    assert answer.status is JobStatus.COMPLETED
    async with around.worker():
        record = await around.records.end_of(request.job_id)
    assert record.status is JobStatus.COMPLETED
    assert record.ambiguous_attempts == 1
    assert (await around.provider_calls("unrecorded"))["calls"] == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_a_reply_that_could_not_be_sent_is_sent_when_the_broker_is_back(
    around: Surroundings, monkeypatch, stream
):
    reply, failures = PostgresBroker.reply, [BrokerUnavailableError("away")]

    async def flaky(self, address, message):
        if message.type == JobFinished.message_type and failures:
            raise failures.pop()
        await reply(self, address, message)

    monkeypatch.setattr(PostgresBroker, "reply", flaky)
    async with around.worker():
        _, answer = await around.ask(requested(stream=stream))
    assert answer.status is JobStatus.COMPLETED
    assert not failures


async def test_a_caller_is_told_that_a_large_answer_cannot_be_stored(around: Surroundings, monkeypatch):
    async def away(self, body, **_):
        if len(body) > 200_000:
            raise ObjectStoreUnavailableError("away")
        return body, None

    monkeypatch.setattr(BodyStore, "put", away)
    request = requested(
        model="simulator/echo", input={"messages": [{"role": "user", "content": "é" * 125_000}]}
    )
    folder = Path(urlsplit(around.settings["objects"]["url"]).path)
    (folder / "request").write_bytes(request.body)
    async with around.worker():
        _, answer = await around.ask(request.model_copy(update={"body": b"", "body_ref": "request"}))
        record = await around.records.end_of(request.job_id)
    assert answer.status is JobStatus.FAILED
    assert answer.failure is not None
    assert answer.failure.code == "object_store_unavailable"
    assert record.usage.output_tokens > 0


async def test_a_job_waits_for_the_object_store_no_longer_than_its_deadline(
    around: Surroundings, monkeypatch
):
    async def away(*_):
        raise ObjectStoreUnavailableError("away")

    monkeypatch.setattr(BodyStore, "get", away)
    request = requested(background=True).model_copy(
        update={"body_ref": "request", "deadline_at": datetime.now(UTC) + timedelta(seconds=1)}
    )
    async with around.worker():
        await around.publish(request)
        end = await around.records.end_of(request.job_id)
    assert end.status is JobStatus.EXPIRED


async def test_a_stop_while_the_broker_is_away_hands_the_job_back(around: Surroundings, monkeypatch):
    around.settings["shutdown_grace_s"] = 0.1
    publish, tried = PostgresBroker.publish, asyncio.Event()

    async def away(self, topic, message):
        if topic == RESULTS_FINISHED:
            tried.set()
            raise BrokerUnavailableError("away")
        await publish(self, topic, message)

    request = requested()
    with monkeypatch.context() as patched:
        patched.setattr(PostgresBroker, "publish", away)
        async with around.worker():
            await around.publish(request)
            await tried.wait()
    async with around.worker():
        record = await around.records.end_of(request.job_id)
    assert record.status is JobStatus.COMPLETED
    assert record.ambiguous_attempts == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_bug_is_an_answer_too(around: Surroundings, monkeypatch, stream):
    def explode(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    if stream:
        monkeypatch.setattr(Assembly, "add", explode)
    else:
        monkeypatch.setattr(Claims, "claim", explode)
    request = requested(stream=stream, background=not stream)
    async with around.worker():
        await around.publish(request)
        end = await around.records.end_of(request.job_id)
    assert end.failure is not None
    assert end.failure.code == "internal_error"
    assert "bug" not in end.failure.message


async def test_a_job_that_kills_its_workers_is_given_up_and_said_so(around: Surroundings):
    around.settings["shutdown_grace_s"] = 0.05
    request = requested(simulator={"hang": True, "key": "poison"})

    async def worker_until_called(times: int) -> None:
        async with around.worker():
            await around.until_called("poison", calls=times)

    async with asyncio.TaskGroup() as group:
        asked = group.create_task(around.ask(request))
        for times in range(1, 6):
            await worker_until_called(times)
        async with around.worker():
            _, answer = await asked
    record = await around.records.end_of(request.job_id)
    assert answer.failure is not None
    assert answer.failure.code == "worker_crashed"
    assert answer == record
    assert len(around.records.of(JobFinished, request.job_id)) == 1
