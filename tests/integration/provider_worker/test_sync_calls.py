"""Calls that somebody waits for, through the real broker to a real HTTP provider."""

import asyncio
import json

import pytest

from shared.contracts.jobs import JobStarted, JobStatus, Operation
from tests.integration.provider_worker.harness import Surroundings, requested


async def test_a_call_is_answered_and_recorded_with_the_same_bytes(around: Surroundings):
    request = requested()
    async with around.worker():
        deltas, answer = await around.ask(request)
        record = await around.records.end_of(request.job_id)
    assert not deltas
    assert answer == record
    assert answer.status is JobStatus.COMPLETED
    assert json.loads(answer.body)["choices"][0]["message"]["content"] == "say it back"
    assert (answer.provider, answer.provider_model) == ("simulator", "echo")
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens > 0
    assert answer.usage.cost_microusd == 0
    assert not around.records.of(JobStarted, request.job_id)


async def test_a_stream_arrives_in_deltas_and_is_recorded_as_the_whole_answer(around: Surroundings):
    request = requested(stream=True, model="simulator/text", simulator={"tokens": 40, "tokens_per_s": 400})
    async with around.worker():
        deltas, answer = await around.ask(request)
        record = await around.records.end_of(request.job_id)
    assert [delta.sequence for delta in deltas] == list(range(len(deltas)))
    assert answer.deltas == len(deltas) > 2
    assert answer.body == b""
    chunks = [json.loads(line) for delta in deltas for line in delta.body.split(b"\n")]
    assert all(chunk["choices"] for chunk in chunks), "the caller did not ask for the usage chunk"
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    whole = json.loads(record.body)
    assert whole["object"] == "chat.completion"
    assert whole["choices"][0]["message"]["content"] == text
    assert whole["choices"][0]["finish_reason"] == chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert record.usage.output_tokens == whole["usage"]["completion_tokens"] == 40
    assert record.usage == answer.usage


async def test_the_usage_chunk_reaches_the_caller_who_asked_for_it(around: Surroundings):
    request = requested(stream=True, input={"stream_options": {"include_usage": True}})
    async with around.worker():
        deltas, _ = await around.ask(request)
    last = json.loads(deltas[-1].body.split(b"\n")[-1])
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] > 0


@pytest.mark.parametrize(
    ("operation", "model", "body", "heart"),
    [
        (Operation.COMPLETION, "echo", {"prompt": "once upon"}, "choices"),
        (Operation.EMBEDDING, "embedding", {"input": ["a", "b"]}, "data"),
        (Operation.IMAGE, "image", {"prompt": "a lighthouse", "n": 2}, "data"),
    ],
)
async def test_every_operation_has_an_answer(around: Surroundings, operation, model, body, heart):
    request = requested(operation, model=f"simulator/{model}", input=body)
    async with around.worker():
        _, answer = await around.ask(request)
    assert answer.failure is None
    assert json.loads(answer.body)[heart]
    assert answer.usage.cost_microusd == 0


@pytest.mark.parametrize(
    ("simulator", "code", "http_status"),
    [
        ({"status": 400}, "provider_rejected", 400),
        ({"status": 404}, "provider_rejected", 404),
        ({"status": 422}, "provider_rejected", 422),
        ({"status": 401}, "provider_authentication_failed", 502),
        ({"status": 429, "retry_after_s": 7}, "provider_rate_limited", 429),
        ({"status": 500}, "provider_unavailable", 502),
        ({"status": 503}, "provider_unavailable", 502),
        ({"disconnect": True}, "provider_unavailable", 502),
        ({"bad_json": True}, "provider_protocol_error", 502),
        ({"cut_after_chunks": 1}, "provider_unavailable", 502),
    ],
)
async def test_a_provider_that_fails_is_an_honest_error(around: Surroundings, simulator, code, http_status):
    request = requested(simulator=simulator)
    async with around.worker():
        _, answer = await around.ask(request)
        record = await around.records.end_of(request.job_id)
    assert answer == record
    assert answer.status is JobStatus.FAILED
    assert answer.failure is not None
    assert (answer.failure.code, answer.failure.http_status) == (code, http_status)
    assert answer.failure.retry_after_s == simulator.get("retry_after_s")
    assert answer.body == b""


@pytest.mark.parametrize(
    "simulator",
    [{"cut_after_chunks": 3}, {"end_without_done": True}, {"bad_json": True}],
)
async def test_a_stream_without_its_end_is_incomplete_and_still_accounted_for(
    around: Surroundings, simulator
):
    request = requested(stream=True, model="simulator/text", simulator={"tokens": 20, **simulator})
    async with around.worker():
        deltas, answer = await around.ask(request)
        record = await around.records.end_of(request.job_id)
    assert deltas
    assert answer.status is record.status is JobStatus.INCOMPLETE
    assert answer.deltas == len(deltas)
    assert record.failure is not None
    assert record.usage.output_tokens > 0
    assert json.loads(record.body)["choices"][0]["message"]["content"]


async def test_a_stream_that_fails_before_its_first_byte_is_a_plain_failure(around: Surroundings):
    request = requested(stream=True, simulator={"status": 503})
    async with around.worker():
        deltas, answer = await around.ask(request)
    assert not deltas
    assert answer.status is JobStatus.FAILED


@pytest.mark.parametrize("stream", [False, True])
async def test_an_alias_falls_over_to_its_next_target(around: Surroundings, stream):
    around.settings["providers"]["broken"] = {"base_url": "http://127.0.0.1:9/v1"}
    around.settings["models"] = {"fast": {"targets": ["broken/echo", "simulator/echo"]}}
    request = requested(model="fast", stream=stream)
    async with around.worker():
        _, answer = await around.ask(request)
    assert answer.status is JobStatus.COMPLETED
    assert answer.provider == "simulator"


async def test_nothing_falls_over_after_the_first_streamed_byte(around: Surroundings):
    around.settings["models"] = {"twice": {"targets": ["simulator/text", "simulator/echo"]}}
    request = requested(model="twice", stream=True, simulator={"cut_after_chunks": 2})
    async with around.worker():
        _, answer = await around.ask(request)
    assert answer.status is JobStatus.INCOMPLETE
    assert answer.provider_model == "text"


async def test_a_model_that_nobody_serves_is_not_found(around: Surroundings):
    request = requested(model="nobody/has-it")
    async with around.worker():
        _, answer = await around.ask(request)
    assert answer.failure is not None
    assert (answer.failure.code, answer.failure.param) == ("model_not_found", "model")
    assert answer.failure.http_status == 404
    assert answer.start_id is None


async def test_a_large_answer_travels_by_reference(around: Surroundings, tmp_path):
    request = requested(input={"messages": [{"role": "user", "content": "long " * 8000}]})
    async with around.worker():
        _, answer = await around.ask(request)
    assert answer.body == b""
    assert answer.body_ref is not None
    assert b"long long" in (tmp_path / answer.body_ref).read_bytes()


async def test_calls_that_end_together_share_a_message_of_records(around: Surroundings):
    requests = [requested() for _ in range(40)]
    async with around.worker(record_interval_s=0.5):
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(around.ask(request)) for request in requests]
        ends = [await around.records.end_of(request.job_id) for request in requests]
    assert ends == [task.result()[1] for task in asked]
    assert len(around.records.messages) < len(requests) / 2
