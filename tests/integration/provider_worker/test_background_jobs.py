"""Jobs whose row exists: announced, claimed once, deferred, kept alive."""

import json
from datetime import UTC, datetime

import redis.asyncio as redis

from shared.contracts.jobs import JobDeferred, JobDelta, JobFinished, JobsHeld, JobStarted, JobStatus
from shared.storage.redis import cancelled_key
from tests.integration.provider_worker.harness import Surroundings, requested


async def test_a_background_job_is_announced_before_its_call_and_then_recorded(around: Surroundings):
    request = requested(background=True)
    async with around.worker():
        await around.publish(request)
        end = await around.records.end_of(request.job_id)
    (started,) = around.records.of(JobStarted, request.job_id)
    assert started.start_id == end.start_id
    assert end.background
    assert end.status is JobStatus.COMPLETED


async def test_the_deltas_of_a_background_stream_are_recorded_before_its_end(around: Surroundings):
    request = requested(
        background=True, stream=True, model="simulator/text", simulator={"tokens": 30, "tokens_per_s": 100}
    )
    async with around.worker():
        await around.publish(request)
        end = await around.records.end_of(request.job_id)
        await around.records.wait(lambda: len(around.records.of(JobDelta, request.job_id)) == end.deltas)
    deltas = around.records.of(JobDelta, request.job_id)
    assert [delta.sequence for delta in deltas] == list(range(end.deltas))
    assert {delta.start_id for delta in deltas} == {end.start_id}
    assert 2 <= end.deltas <= 8, "30 tokens in 0.3 s, at most one message per 0.1 s"
    chunks = [json.loads(line) for delta in deltas for line in delta.body.split(b"\n")]
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert json.loads(end.body)["choices"][0]["message"]["content"] == text


async def test_a_retryable_failure_defers_the_job(around: Surroundings):
    request = requested(background=True, max_attempts=3, simulator={"status": 429, "retry_after_s": 20})
    async with around.worker():
        before = datetime.now(UTC)
        await around.publish(request)
        await around.records.wait(lambda: around.records.of(JobDeferred, request.job_id))
    (deferred,) = around.records.of(JobDeferred, request.job_id)
    assert 19 < (deferred.retry_at - before).total_seconds() < 22
    assert deferred.failure.code == "provider_rate_limited"
    assert not around.records.of(JobFinished, request.job_id)


async def test_the_last_attempt_fails(around: Surroundings):
    request = requested(background=True, attempt=3, max_attempts=3, simulator={"status": 503})
    async with around.worker():
        await around.publish(request)
        end = await around.records.end_of(request.job_id)
    assert end.status is JobStatus.FAILED
    assert end.attempt == 3


async def test_a_rejected_job_fails_at_once(around: Surroundings):
    request = requested(background=True, max_attempts=3, simulator={"status": 400})
    async with around.worker():
        await around.publish(request)
        end = await around.records.end_of(request.job_id)
    assert end.failure is not None
    assert end.failure.code == "provider_rejected"


async def test_a_copy_of_a_job_is_not_called_twice(around: Surroundings):
    request = requested(background=True, simulator={"key": "copies"})
    async with around.worker():
        await around.publish(request)
        await around.records.end_of(request.job_id)
        await around.publish(request)
        await around.ask(requested())
    assert (await around.provider_calls("copies"))["calls"] == 1


async def test_a_later_publication_supersedes_an_earlier_one(around: Surroundings):
    request = requested(background=True, simulator={"key": "publications"})
    async with around.worker():
        await around.publish(request.model_copy(update={"publication": 2}))
        await around.records.end_of(request.job_id)
        await around.publish(request)
        await around.ask(requested())
    assert (await around.provider_calls("publications"))["calls"] == 1


async def test_a_job_cancelled_while_it_waited_is_not_called(around: Surroundings, valkey_url: str):
    request = requested(background=True, simulator={"key": "cancelled in redis"})
    async with redis.Redis.from_url(valkey_url) as client:
        await client.set(cancelled_key(request.job_id), 1, ex=60)
    async with around.worker():
        await around.publish(request)
        end = await around.records.end_of(request.job_id)
    assert end.status is JobStatus.CANCELLED
    assert (await around.provider_calls("cancelled in redis"))["calls"] == 0


async def test_a_job_that_was_cancelled_and_then_retried_runs_and_the_old_copy_of_it_does_not(
    around: Surroundings, valkey_url: str
):
    old = requested(background=True, simulator={"key": "cancelled and retried"})
    async with redis.Redis.from_url(valkey_url) as client:
        await client.set(cancelled_key(old.job_id), 1, ex=60)
    async with around.worker():
        await around.publish(old)
        assert (await around.records.end_of(old.job_id)).status is JobStatus.CANCELLED
        await around.publish(old.model_copy(update={"attempt": 2}))
        await around.until_called("cancelled and retried", calls=1)
        await around.ask(requested())
    ends = [e for e in around.records.all if isinstance(e, JobFinished) and e.job_id == old.job_id]
    assert [(end.attempt, end.status) for end in ends] == [(1, JobStatus.CANCELLED), (2, JobStatus.COMPLETED)]


async def test_jobs_run_while_redis_is_away(around: Surroundings):
    around.settings["redis"] = {"url": "redis://127.0.0.1:9/0"}
    request = requested(background=True)
    async with around.worker() as health:
        await around.publish(request)
        end = await around.records.end_of(request.job_id)
        ready, words = await health.report()
    assert end.status is JobStatus.COMPLETED
    assert ready
    assert words["redis"].startswith("Redis does not answer")


async def test_the_jobs_that_a_worker_has_are_announced_again_and_again(around: Surroundings):
    running = requested(background=True, simulator={"delay_ms": 1000, "key": "held"})
    waiting = requested(background=True, simulator={"delay_ms": 10})

    def announced_twice() -> bool:
        beats = [each for each in around.records.all if isinstance(each, JobsHeld)]
        return sum({running.job_id, waiting.job_id} <= set(beat.job_ids) for beat in beats) >= 2

    async with around.worker(concurrency=1):
        await around.publish(running)
        await around.until_called("held", active=1)
        await around.publish(waiting)
        await around.records.wait(announced_twice)


async def test_a_large_request_is_fetched_from_the_object_store(around: Surroundings, tmp_path):
    request = requested(background=True, input={"messages": [{"role": "user", "content": "big " * 8000}]})
    (tmp_path / "bodies").mkdir()
    (tmp_path / "bodies" / "request").write_bytes(request.body)
    async with around.worker():
        await around.publish(request.model_copy(update={"body": b"", "body_ref": "bodies/request"}))
        end = await around.records.end_of(request.job_id)
    assert end.body_ref is not None
    assert b"big big" in (tmp_path / end.body_ref).read_bytes()


async def test_a_request_whose_body_is_gone_fails(around: Surroundings):
    request = requested(background=True).model_copy(update={"body": b"", "body_ref": "nowhere"})
    async with around.worker():
        await around.publish(request)
        end = await around.records.end_of(request.job_id)
    assert end.failure is not None
    assert end.failure.code == "not_found"
