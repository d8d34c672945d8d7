"""What ends a call early: time limits, deadlines, cancellations, SIGTERM."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from shared.contracts.jobs import JobStatus
from tests.integration.provider_worker.harness import Surroundings, read, requested


@pytest.mark.parametrize("stream", [False, True])
async def test_a_provider_that_never_answers_is_a_timeout(around: Surroundings, stream):
    around.settings["providers"]["simulator"]["first_token_timeout_s"] = 0.2
    request = requested(stream=stream, simulator={"hang": True, "key": f"hang {stream}"})
    async with around.worker():
        _, answer = await around.ask(request)
        await around.until_called(f"hang {stream}", aborted=1)
    assert answer.failure is not None
    assert (answer.failure.code, answer.failure.http_status) == ("provider_timeout", 504)


async def test_a_pause_between_chunks_is_a_timeout(around: Surroundings):
    around.settings["providers"]["simulator"]["between_chunks_timeout_s"] = 0.3
    request = requested(
        stream=True, model="simulator/text", simulator={"tokens": 9, "tokens_per_s": 0.5, "key": "pause"}
    )
    async with around.worker():
        deltas, answer = await around.ask(request)
        await around.until_called("pause", aborted=1)
    assert answer.failure is not None
    assert answer.failure.code == "provider_timeout"
    assert answer.status is (JobStatus.INCOMPLETE if deltas else JobStatus.FAILED)


async def test_a_stream_that_goes_on_for_ever_meets_the_total_limit(around: Surroundings):
    around.settings["providers"]["simulator"]["total_timeout_s"] = 0.5
    request = requested(
        stream=True, model="simulator/text", simulator={"tokens": 1000, "tokens_per_s": 50, "key": "total"}
    )
    async with around.worker():
        _, answer = await around.ask(request)
        await around.until_called("total", aborted=1)
    assert answer.status is JobStatus.INCOMPLETE
    assert answer.failure is not None
    assert answer.failure.code == "provider_timeout"


async def test_a_job_whose_deadline_has_passed_is_not_begun(around: Surroundings):
    request = requested(background=True, simulator={"key": "late"}, deadline_at=datetime.now(UTC))
    async with around.worker():
        await around.publish(request.model_copy(update={"deadline_at": datetime.now(UTC)}))
        later = requested()
        await around.ask(later)
    ends = [each for each in around.records.all if getattr(each, "job_id", None) == request.job_id]
    assert all(end.status is JobStatus.EXPIRED for end in ends)
    assert (await around.provider_calls("late"))["calls"] == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_the_deadline_ends_a_call_under_way(around: Surroundings, stream):
    request = requested(
        stream=stream,
        deadline_at=datetime.now(UTC) + timedelta(seconds=0.5),
        simulator={"hang": True, "key": f"deadline {stream}"},
    )
    async with around.worker():
        _, answer = await around.ask(request)
        await around.until_called(f"deadline {stream}", aborted=1)
    assert answer.status is JobStatus.EXPIRED
    assert answer.failure is not None
    assert answer.failure.code == "deadline_exceeded"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cancellation_closes_the_call_within_a_second(around: Surroundings, stream):
    key = f"cancel {stream}"
    request = requested(
        model="simulator/text",
        stream=stream,
        simulator={"tokens": 1000, "tokens_per_s": 20, "key": key},
    )
    async with around.worker():
        with around.requester.expect(str(request.job_id)) as replies:
            await around.publish(request, reply_to=around.requester.address)
            await around.until_called(key, active=1)
            if stream:  # the first chunk names the role, the next ones are text
                for _ in range(3):
                    await replies.next(5)
            cancelled_at = time.monotonic()
            await around.cancel(request.job_id)
            _, answer = await read(replies)
        await around.until_called(key, aborted=1)
        assert time.monotonic() - cancelled_at < 1
        record = await around.records.end_of(request.job_id)
    assert answer.status is record.status is JobStatus.CANCELLED
    assert bool(record.usage.output_tokens) is stream, "what was generated is billed"
    assert record.body == b""


async def test_a_cancellation_that_comes_before_its_job_keeps_it_from_the_provider(around: Surroundings):
    request = requested(simulator={"key": "early"})
    blocker = requested(simulator={"delay_ms": 400, "key": "blocker"})
    async with around.worker(concurrency=1), asyncio.TaskGroup() as group:
        blocked = group.create_task(around.ask(blocker))
        await around.until_called("blocker", active=1)
        asked = group.create_task(around.ask(request))
        await around.cancel(request.job_id)
        await blocked
        _, answer = await asked
    assert answer.status is JobStatus.CANCELLED
    assert (await around.provider_calls("early"))["calls"] == 0


async def test_a_stop_lets_calls_finish_and_hands_back_what_has_not_begun(around: Surroundings):
    running = requested(simulator={"delay_ms": 600, "key": "running"})
    waiting = requested(simulator={"key": "waiting"})
    async with asyncio.TaskGroup() as group:
        async with around.worker(concurrency=1):
            first = group.create_task(around.ask(running))
            await around.until_called("running", active=1)
            second = group.create_task(around.ask(waiting))
        assert (await around.records.end_of(running.job_id)).status is JobStatus.COMPLETED
        assert not second.done()
        async with around.worker():
            await second
    assert first.result()[1].status is JobStatus.COMPLETED
    assert second.result()[1].status is JobStatus.COMPLETED
    assert second.result()[1].ambiguous_attempts == 0, "it was never begun"


async def test_a_call_that_outlasts_the_grace_goes_to_another_worker(around: Surroundings):
    around.settings["shutdown_grace_s"] = 0.1
    request = requested(simulator={"delay_ms": 1500, "key": "handed back"})
    async with asyncio.TaskGroup() as group:
        async with around.worker():
            asked = group.create_task(around.ask(request))
            await around.until_called("handed back", active=1)
        around.settings["shutdown_grace_s"] = 5
        async with around.worker():
            _, answer = await asked
    assert answer.status is JobStatus.COMPLETED
    assert answer.ambiguous_attempts == 1
    assert (await around.provider_calls("handed back"))["calls"] == 2
