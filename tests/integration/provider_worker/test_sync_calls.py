"""Calls that somebody waits for, through the real broker to a real HTTP provider."""

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
