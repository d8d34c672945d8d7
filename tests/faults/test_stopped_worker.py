"""A worker that stands still past its lease and then goes on: nothing changes twice."""

import asyncio
import json
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.faults.another_worker import Worker, another_worker, metric
from tests.faults.brokers import LOADED
from tests.faults.campaign.checker import STANDING_STILL
from tests.faults.campaign.history import Killed, Recovered
from tests.faults.campaign.run import Load, load_on, open_jobs, verdict_on
from tests.faults.campaign.victims import entry_of, postgres_url
from tests.faults.campaign.work import Kind
from tests.support.fleet import Fleet, running_fleet
from tests.support.store import until

pytestmark = pytest.mark.faults

JOBS = 40
ENVIRONMENT = {
    **LOADED,
    # So few that two workers have to share.
    "PENSTOCK_WORKER__LANES": json.dumps({"standard": {"weight": 4, "prefetch": JOBS // 2}}),
}
REDELIVERY_LIMIT_S = 90.0
"""PGMQ: the lease; RabbitMQ: some heartbeats until it takes a client for dead."""
HEARTBEAT_S = 3
IGNORED = "penstock_results_ignored_total"
_STARTED_TWICE = "SELECT count(DISTINCT job_id) FROM job_events WHERE type = 'job.retrying'"


@pytest.fixture
def fleet(request: pytest.FixtureRequest, environment: Mapping[str, str], tmp_path: Path) -> Iterator[Fleet]:
    with ExitStack() as stack:
        if environment:
            node = request.getfixturevalue("rabbitmq_node")
            stack.enter_context(node.heartbeat(HEARTBEAT_S))
        yield stack.enter_context(running_fleet(tmp_path / "fleet", {**ENVIRONMENT, **environment}))


async def submit_all(load: Load, scene: str, *, delay_ms: int) -> list[str]:
    jobs = []
    for number in range(JOBS):
        kind = (Kind.PLAIN, Kind.STREAMED)[number % 2]
        jobs.append(
            await load.jobs.submit(kind, f"{kind}-{scene}-{number}", lane="standard", delay_ms=delay_ms)
        )
    assert None not in jobs
    return [job for job in jobs if job is not None]


async def stop_and_continue(
    load: Load, worker: Worker, scene: str, *, delay_ms: int, continue_when: Callable[[], bool]
) -> None:
    """Stop a worker in the middle of its calls, and continue it when the database says so."""
    results = entry_of(load.fleet, "results").admin_port
    await until(worker.ready, limit_s=30)
    jobs = await submit_all(load, scene, delay_ms=delay_ms)
    await until(lambda: worker.has_calls(JOBS // 4), limit_s=30)
    worker.process.send_signal(signal.SIGSTOP)
    load.history.record(Killed(victim=STANDING_STILL, pid=worker.process.pid))
    await until(lambda: asyncio.to_thread(continue_when), limit_s=REDELIVERY_LIMIT_S)
    for job in jobs:
        await load.jobs.look(job, wait_s=0)
    late = await metric(results, IGNORED)
    worker.process.send_signal(signal.SIGCONT)
    load.history.record(Recovered(victim=STANDING_STILL, after_s=0))

    async def its_results_came_too_late() -> bool:
        return await metric(results, IGNORED) > late and not await worker.has_calls(1)

    await until(its_results_came_too_late, limit_s=60)


async def stop_it_twice(fleet: Fleet, worker: Worker, folder: Path) -> None:
    url = postgres_url(fleet)
    async with load_on(fleet, seed=1, folder=folder) as load:
        await stop_and_continue(
            load, worker, "done-by-another", delay_ms=1500, continue_when=lambda: open_jobs(url) == 0
        )
        enough = started_twice(url) + JOBS // 4
        await stop_and_continue(
            load,
            worker,
            "begun-by-another",
            delay_ms=6000,
            continue_when=lambda: started_twice(url) >= enough,
        )
        verdict = await verdict_on(load, folder=folder)
    assert not verdict.breaches, "\n".join(verdict.breaches)
    for scene in ("done-by-another", "begun-by-another"):
        calls = sum(count for key, count in verdict.evidence.calls.items() if scene in key)
        assert calls >= JOBS + JOBS // 4, f"{scene}: nobody else made the calls again"


def started_twice(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(_STARTED_TWICE).fetchone()
    return 0 if row is None else int(row[0])


@pytest.mark.timeout(300)
def test_a_worker_that_was_stopped_past_its_lease_and_goes_on_changes_nothing_twice(
    fleet: Fleet, tmp_path: Path
) -> None:
    """Once after another has done its jobs, once while another does them."""
    with another_worker(fleet, tmp_path) as worker:
        asyncio.run(stop_it_twice(fleet, worker, tmp_path))
    assert fleet.stop() == 0
