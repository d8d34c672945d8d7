"""The worker's main paths once more, on the other broker."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.contracts.jobs import JobStarted, JobStatus
from tests.integration.provider_worker.harness import Surroundings, requested, surroundings

pytestmark = pytest.mark.rabbitmq


@pytest.fixture
async def around(
    rabbitmq_url: str, valkey_url: str, simulator_url: str, tmp_path: Path
) -> AsyncIterator[Surroundings]:
    async with surroundings(rabbitmq_url, valkey_url, simulator_url, tmp_path) as found:
        found.settings["postgres"] = {"url": "postgresql://unused"}
        yield found


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_is_answered_and_recorded(around: Surroundings, stream):
    request = requested(stream=stream, model="simulator/text", simulator={"tokens": 30, "tokens_per_s": 300})
    async with around.worker():
        deltas, answer = await around.ask(request)
        record = await around.records.end_of(request.job_id)
    assert answer.status is record.status is JobStatus.COMPLETED
    assert len(deltas) == record.deltas
    assert bool(deltas) is stream
    assert record.usage.output_tokens == 30


async def test_a_cancellation_reaches_the_provider(around: Surroundings):
    request = requested(simulator={"hang": True, "key": "rabbit"})
    async with around.worker():
        await around.publish(request)
        await around.until_called("rabbit", active=1)
        await around.cancel(request.job_id)
        assert (await around.records.end_of(request.job_id)).status is JobStatus.CANCELLED
        await around.until_called("rabbit", aborted=1)


async def test_a_job_outlives_its_worker(around: Surroundings):
    around.settings["shutdown_grace_s"] = 0.1
    request = requested(background=True, simulator={"delay_ms": 1500, "key": "rabbit job"})
    async with around.worker():
        await around.publish(request)
        await around.until_called("rabbit job", active=1)
    around.settings["shutdown_grace_s"] = 5
    async with around.worker():
        end = await around.records.end_of(request.job_id)
    assert end.status is JobStatus.COMPLETED
    assert end.ambiguous_attempts == 1
    assert len(around.records.of(JobStarted, request.job_id)) == 2
