"""SIGTERM under load: who is told to stop finishes or hands on what it has, and no request fails."""

import asyncio
import os
import signal
from collections import Counter
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from tests.faults.brokers import Brokers
from tests.faults.campaign.history import Called, NotAccepted
from tests.faults.campaign.run import Load, load_on, verdict_on
from tests.faults.campaign.victims import ServiceVictim, entry_of
from tests.faults.campaign.work import Kind
from tests.support.fleet import Fleet
from tests.support.store import until

pytestmark = pytest.mark.faults

STOPS = 2
CALLS = 12
STREAMS = 6
DRAIN = {"PENSTOCK_SHUTDOWN_GRACE_S": "8"}


async def terminate(fleet: Fleet, name: str) -> None:
    """Send SIGTERM and wait until the supervisor has started another one."""
    pid = entry_of(fleet, name).pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    await ServiceVictim(fleet, name).back(pid)


async def stop_workers_under_load(fleet: Fleet, workers: list[str], folder: Path) -> None:
    async with load_on(fleet, seed=1, folder=folder) as load:
        async with load.running():
            await until(partial(_has_calls, load, CALLS), limit_s=30)
            for stop in range(STOPS):
                await terminate(fleet, workers[stop % len(workers)])
                enough = len(load.history.of(Called)) + CALLS
                await until(partial(_has_calls, load, enough), limit_s=30)
        verdict = await verdict_on(load, folder=folder)
    assert Counter(call.outcome for call in load.history.of(Called)).keys() == {"answered"}
    assert not load.history.of(NotAccepted)
    assert not verdict.breaches, "\n".join(verdict.breaches)


async def _has_calls(load: Load, count: int) -> bool:
    return len(load.history.of(Called)) >= count


@pytest.mark.parametrize(
    "workers",
    [
        pytest.param(["provider_worker"], id="the only worker"),
        pytest.param(["provider_worker-1", "provider_worker-2"], id="one of two workers"),
    ],
)
@pytest.mark.timeout(240)
def test_no_request_fails_when_a_worker_is_told_to_stop(
    brokers: Brokers, tmp_path: Path, workers: list[str]
) -> None:
    with brokers.fleet(tmp_path / "fleet", DRAIN, "--workers", str(len(workers))) as fleet:
        asyncio.run(stop_workers_under_load(fleet, workers, tmp_path))
        assert fleet.stop() == 0


async def stop_ingress_with_requests_under_way(fleet: Fleet, folder: Path) -> None:
    simulator = (await asyncio.to_thread(fleet.status))["simulator_url"]
    async with load_on(fleet, seed=1, folder=folder) as load:
        job_id = await load.jobs.submit(Kind.PLAIN, "plain-1", delay_ms=3000)
        assert job_id is not None
        async with asyncio.TaskGroup() as group:
            calls = [
                group.create_task(load.callers.call(streamed=number < STREAMS, delay_ms=2000))
                for number in range(CALLS)
            ]
            looking = group.create_task(load.jobs.look(job_id, wait_s=20))
            await until(lambda: _active(simulator, CALLS + 1), limit_s=30)
            await terminate(fleet, "ingress")
        assert [task.result() for task in calls] == ["answered"] * CALLS
        assert looking.result() is not None
        verdict = await verdict_on(load, folder=folder)
        assert await load.callers.call(streamed=True) == "answered"
    assert not verdict.breaches, "\n".join(verdict.breaches)


async def _active(simulator_url: str, calls: int) -> bool:
    async with aiohttp.request("GET", f"{simulator_url}/simulator/calls") as answer:
        return int((await answer.json())["active"]) == calls


@pytest.mark.timeout(120)
def test_requests_under_way_are_answered_when_ingress_is_told_to_stop(
    brokers: Brokers, tmp_path: Path
) -> None:
    with brokers.fleet(tmp_path / "fleet", DRAIN) as fleet:
        asyncio.run(stop_ingress_with_requests_under_way(fleet, tmp_path))
        assert fleet.stop() == 0
