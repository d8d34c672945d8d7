"""Several deliveries of one job in one process."""

import asyncio

import pytest

from services.provider_worker.consumers.running import RunningJobs
from shared.contracts.ids import new_id


@pytest.mark.parametrize(
    ("recorded", "attempt", "runs"),
    [
        pytest.param(True, 1, False, id="the-same-attempt-is-recorded"),
        pytest.param(False, 1, True, id="the-other-one-was-only-dropped"),
        pytest.param(True, 2, True, id="the-next-attempt"),
    ],
)
async def test_a_second_delivery_waits_and_runs_unless_its_attempt_has_been_recorded(recorded, attempt, runs):
    running, job_id = RunningJobs(), new_id()
    waits = asyncio.Event()

    async def second() -> bool:
        waits.set()
        return await running.begin(job_id, attempt) is not None

    first = await running.begin(job_id, 1)
    assert first is not None
    async with asyncio.TaskGroup() as group:
        task = group.create_task(second())
        await waits.wait()
        assert not task.done()
        first.recorded = recorded
        running.end(job_id)
    assert task.result() is runs


@pytest.mark.parametrize(
    ("attempt", "newest", "stopped"), [(1, 1, True), (2, 1, False), (2, 3, True), (2, None, True)]
)
async def test_a_cancellation_stops_the_attempts_that_it_means_early_or_late(attempt, newest, stopped):
    for early in (True, False):
        running, job_id = RunningJobs(), new_id()
        if early:
            running.cancel(job_id, newest)
        run = await running.begin(job_id, attempt)
        assert run is not None
        if not early:
            running.cancel(job_id, newest)
        assert run.cancelled is stopped


async def test_word_of_an_earlier_cancellation_that_comes_late_takes_none_back() -> None:
    running, job_id = RunningJobs(), new_id()
    running.cancel(job_id, 2)
    running.cancel(job_id, 1)
    run = await running.begin(job_id, 2)
    assert run is not None
    assert run.cancelled
