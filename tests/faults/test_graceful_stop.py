"""SIGTERM under load: who is told to stop finishes or hands on what it has, and no request fails.

Workers join and leave meanwhile, and no job is lost or done twice.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from tests.faults.another_worker import Worker, another_worker
from tests.faults.brokers import LOADED
from tests.faults.campaign.checker import QUEUE_FULL
from tests.faults.campaign.history import Called, NotAccepted
from tests.faults.campaign.run import Load, load_on, verdict_on
from tests.faults.campaign.victims import ServiceVictim, entry_of
from tests.faults.campaign.work import Kind
from tests.support.fleet import Fleet, running_fleet
from tests.support.store import until

pytestmark = pytest.mark.faults

CALLS = 12
STREAMS = 6
DRAIN = {"PENSTOCK_SHUTDOWN_GRACE_S": "8"}
WORKERS = ("provider_worker-1", "provider_worker-2")
STOPPED_TOGETHER = (WORKERS[:1], WORKERS)
"""One while the other works, and then all that there are."""


async def terminate(fleet: Fleet, *names: str) -> None:
    """Send SIGTERM and wait until the supervisor has started others."""
    pids = {name: entry_of(fleet, name).pid for name in names}
    for pid in pids.values():
        assert pid is not None
        os.kill(pid, signal.SIGTERM)
    for name, pid in pids.items():
        await ServiceVictim(fleet, name).back(pid)


async def stop_workers_under_load(load: Load, folder: Path) -> None:
    async with load.running():
        await until(partial(_has_calls, load, CALLS), limit_s=30)
        for workers in STOPPED_TOGETHER:
            await terminate(load.fleet, *workers)
            enough = len(load.history.of(Called)) + CALLS
            await until(partial(_has_calls, load, enough), limit_s=30)
        with another_worker(load.fleet, folder, like=WORKERS[0]) as worker:
            await join_and_leave(load, worker)
    assert Counter(call.outcome for call in load.history.of(Called)).keys() == {"answered"}
    # While all workers are replaced, a job that has two seconds at most may hear that it comes too late.
    refused = load.history.of(NotAccepted)
    assert not [entry for entry in refused if not (entry.status == 429 and QUEUE_FULL in entry.reason)]


async def join_and_leave(load: Load, worker: Worker) -> None:
    """Have another worker do the work of all while they are replaced, and leave."""
    await until(worker.ready, limit_s=30)
    await until(partial(worker.has_made_calls, CALLS), limit_s=30)
    await terminate(load.fleet, *WORKERS)
    worker.process.terminate()
    assert await asyncio.to_thread(worker.process.wait, 30) == 0
    await until(partial(_has_calls, load, len(load.history.of(Called)) + CALLS), limit_s=30)


async def _has_calls(load: Load, count: int) -> bool:
    return len(load.history.of(Called)) >= count


async def stop_ingress_with_requests_under_way(load: Load) -> None:
    simulator = (await asyncio.to_thread(load.fleet.status))["simulator_url"]
    job_id = await load.jobs.submit(Kind.PLAIN, "plain-under-way", delay_ms=3000)
    assert job_id is not None
    async with asyncio.TaskGroup() as group:
        calls = [
            group.create_task(load.callers.call(streamed=number < STREAMS, delay_ms=2000))
            for number in range(CALLS)
        ]
        looking = group.create_task(load.jobs.look(job_id, wait_s=20))
        await until(lambda: _active(simulator, CALLS + 1), limit_s=30)
        await terminate(load.fleet, "ingress")
    assert [task.result() for task in calls] == ["answered"] * CALLS
    assert looking.result() is not None


async def _active(simulator_url: str, calls: int) -> bool:
    async with aiohttp.request("GET", f"{simulator_url}/simulator/calls") as answer:
        return int((await answer.json())["active"]) == calls


async def stop_each_kind(fleet: Fleet, folder: Path) -> None:
    async with load_on(fleet, seed=1, folder=folder) as load:
        await stop_workers_under_load(load, folder)
        await stop_ingress_with_requests_under_way(load)
        verdict = await verdict_on(load, folder=folder)
        assert await load.callers.call(streamed=True) == "answered"
    assert not verdict.breaches, "\n".join(verdict.breaches)
    # Of a synchronous call nobody announces a start: one that a worker only held counts as ambiguous, too.
    jobs = [job for job in verdict.evidence.jobs if job.background]
    assert not sum(job.ambiguous_attempts for job in jobs), "a job was begun twice"


@pytest.mark.timeout(240)
def test_no_request_fails_when_workers_and_ingress_are_told_to_stop(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    settings = {**LOADED, **DRAIN, **environment}
    with running_fleet(tmp_path / "fleet", settings, "--workers", str(len(WORKERS))) as fleet:
        asyncio.run(stop_each_kind(fleet, tmp_path))
        assert fleet.stop() == 0
