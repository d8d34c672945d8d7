"""The worker as its own process: started from the command line, stopped and killed by signals."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.contracts.jobs import JobFinished, JobStatus, Lane, Operation
from tests.integration.provider_worker.harness import PATIENCE_S, Surroundings, requested

Process = asyncio.subprocess.Process


def environment(around: Surroundings) -> dict[str, str]:
    settings = around.settings
    return {
        "PATH": os.environ["PATH"],  # noqa: TID251 - a process needs one
        "PENSTOCK_SECRET_KEY": settings["secret_key"],
        "PENSTOCK_BROKER__URL": settings["broker"]["url"],
        "PENSTOCK_BROKER__LEASE_S": "2",
        "PENSTOCK_POSTGRES__URL": settings["postgres"]["url"],
        "PENSTOCK_REDIS__URL": settings["redis"]["url"],
        "PENSTOCK_OBJECTS__URL": settings["objects"]["url"],
        "PENSTOCK_PROVIDERS": json.dumps(settings["providers"]),
    }


@asynccontextmanager
async def process(around: Surroundings, *arguments: str) -> AsyncIterator[Process]:
    """Run a worker; it is killed with the block if it still runs."""
    command = (sys.executable, "-m", "services.provider_worker", *arguments)
    started = await asyncio.create_subprocess_exec(
        *command, env=environment(around), stderr=asyncio.subprocess.PIPE
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def ended(started: Process) -> int:
    async with asyncio.timeout(PATIENCE_S):
        return await started.wait()


async def test_sigterm_lets_a_call_finish_and_exits_cleanly(around: Surroundings):
    request = requested(background=True, simulator={"delay_ms": 800, "key": "sigterm"})
    async with process(around) as worker:
        await around.publish(request)
        await around.until_called("sigterm", active=1)
        worker.send_signal(signal.SIGTERM)
        assert await ended(worker) == 0
    assert (await around.records.end_of(request.job_id)).status is JobStatus.COMPLETED


async def test_sigterm_under_load_fails_no_call(around: Surroundings):
    requests = [requested(simulator={"delay_ms": 300, "key": "load"}) for _ in range(60)]
    async with process(around, "--concurrency", "8") as worker, asyncio.TaskGroup() as group:
        asked = [group.create_task(around.ask(request)) for request in requests]
        await around.until_called("load", active=8)  # the other calls wait, most of them in the worker
        worker.send_signal(signal.SIGTERM)
        assert await ended(worker) == 0
        async with process(around):
            answers = [(await task)[1] for task in asked]
    assert {answer.status for answer in answers} == {JobStatus.COMPLETED}
    assert {answer.ambiguous_attempts for answer in answers} == {0}
    assert (await around.provider_calls("load"))["calls"] == len(requests)


async def test_a_killed_worker_s_job_is_done_by_another_and_called_ambiguous(around: Surroundings):
    request = requested(background=True, simulator={"delay_ms": 1000, "key": "killed"})
    async with process(around) as worker:
        await around.publish(request)
        await around.until_called("killed", active=1)
        worker.kill()
        await ended(worker)
        async with process(around):
            end = await around.records.end_of(request.job_id)
    assert end.status is JobStatus.COMPLETED
    assert end.ambiguous_attempts == 1
    assert len(around.records.of(JobFinished, request.job_id)) == 1


async def test_a_worker_takes_only_the_queues_it_is_given(around: Surroundings):
    chat = requested(simulator={"key": "not mine"}, background=True)
    embedding = requested(
        Operation.EMBEDDING,
        lane=Lane.BATCH,
        model="simulator/embedding",
        input={"input": "x"},
        background=True,
    )
    async with process(around, "--queues", "jobs.embedding.*", "--concurrency", "2"):
        await around.publish(chat)
        await around.publish(embedding)
        await around.records.end_of(embedding.job_id)
        assert (await around.provider_calls("not mine"))["calls"] == 0
    async with process(around):
        await around.records.end_of(chat.job_id)


@pytest.mark.parametrize(
    "arguments",
    [("--queues", "jobs.chatt.*"), ("--concurrency", "0"), ("--concurrency", "many"), ("--nonsense",)],
)
async def test_a_wrong_argument_is_explained(around: Surroundings, arguments):
    async with process(around, *arguments) as worker:
        assert await ended(worker) == 2


async def test_a_broker_that_is_down_does_not_keep_a_worker_from_stopping(around: Surroundings):
    around.settings["broker"]["url"] = "postgresql://nobody@127.0.0.1:9/none"
    async with process(around) as worker:
        assert worker.stderr is not None
        async with asyncio.timeout(PATIENCE_S):
            while b"ready" not in await worker.stderr.readline():
                pass
        worker.send_signal(signal.SIGTERM)
        assert await ended(worker) == 0
