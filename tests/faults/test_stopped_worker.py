"""A worker that stands still past its lease and then goes on: nothing changes twice."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import psutil
import psycopg
import pytest

from tests.faults.brokers import Brokers
from tests.faults.campaign.run import Load, load_on, open_jobs, verdict_on
from tests.faults.campaign.victims import entry_of, postgres_url
from tests.faults.campaign.work import Kind
from tests.support.fleet import Fleet, free_port
from tests.support.store import until

pytestmark = pytest.mark.faults

JOBS = 40
ENVIRONMENT = {
    # So few that two workers have to share.
    "PENSTOCK_WORKER__LANES": json.dumps({"standard": {"weight": 4, "prefetch": JOBS // 2}}),
}
REDELIVERY_LIMIT_S = 90.0
"""PGMQ: the lease; RabbitMQ: some heartbeats until it takes a client for dead."""
IGNORED = "penstock_results_ignored_total"
_STARTED_TWICE = "SELECT count(DISTINCT job_id) FROM job_events WHERE type = 'job.retrying'"


class Worker:
    """A worker that no supervisor restarts when it stands still."""

    def __init__(self, fleet: Fleet, log: Path) -> None:
        self._port = free_port()
        environment = psutil.Process(entry_of(fleet, "provider_worker").pid).environ()
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.provider_worker"],
                env={**environment, "PENSTOCK_ADMIN__PORT": str(self._port)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    async def has_calls(self, count: int) -> bool:
        """Whether it has so many provider calls under way."""
        return await metric(self._port, "penstock_provider_calls_running") >= count

    async def ready(self) -> bool:
        try:
            async with aiohttp.request("GET", f"http://127.0.0.1:{self._port}/health/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


async def metric(port: int | None, name: str) -> float:
    async with aiohttp.request("GET", f"http://127.0.0.1:{port}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


@contextmanager
def another_worker(fleet: Fleet, folder: Path) -> Iterator[Worker]:
    worker = Worker(fleet, folder / "worker.log")
    try:
        yield worker
    finally:
        worker.process.send_signal(signal.SIGCONT)
        worker.process.terminate()
        worker.process.wait(30)


async def submit_all(load: Load, *, delay_ms: int) -> list[str]:
    jobs = []
    for number in range(JOBS):
        kind = (Kind.PLAIN, Kind.STREAMED)[number % 2]
        jobs.append(await load.jobs.submit(kind, f"{kind}-{number}", lane="standard", delay_ms=delay_ms))
    assert None not in jobs
    return [job for job in jobs if job is not None]


async def stop_and_continue(
    fleet: Fleet, worker: Worker, folder: Path, *, delay_ms: int, continue_when: Callable[[str], bool]
) -> None:
    """Stop a worker in the middle of its calls, and continue it when the database says so."""
    url = postgres_url(fleet)
    results = entry_of(fleet, "results").admin_port
    await until(worker.ready, limit_s=30)
    async with load_on(fleet, seed=1, folder=folder) as load:
        jobs = await submit_all(load, delay_ms=delay_ms)
        await until(lambda: worker.has_calls(JOBS // 4), limit_s=30)
        worker.process.send_signal(signal.SIGSTOP)
        await until(lambda: asyncio.to_thread(continue_when, url), limit_s=REDELIVERY_LIMIT_S)
        for job in jobs:
            await load.jobs.look(job, wait_s=0)
        late = await metric(results, IGNORED)
        worker.process.send_signal(signal.SIGCONT)

        async def its_results_came_too_late() -> bool:
            return await metric(results, IGNORED) > late and not await worker.has_calls(1)

        await until(its_results_came_too_late, limit_s=60)
        verdict = await verdict_on(load, folder=folder)
    assert not verdict.breaches, "\n".join(verdict.breaches)
    assert sum(verdict.evidence.calls.values()) >= JOBS + JOBS // 4, "nobody else made the calls again"


def everything_has_ended(url: str) -> bool:
    return open_jobs(url) == 0


def another_has_begun(url: str) -> bool:
    with psycopg.connect(url) as connection:
        row = connection.execute(_STARTED_TWICE).fetchone()
    return row is not None and row[0] >= JOBS // 4


@pytest.mark.parametrize(
    ("delay_ms", "continue_when"),
    [
        pytest.param(1500, everything_has_ended, id="after-another-has-done-its-jobs"),
        pytest.param(8000, another_has_begun, id="while-another-does-its-jobs"),
    ],
)
@pytest.mark.timeout(300)
def test_a_worker_that_was_stopped_past_its_lease_and_goes_on_changes_nothing_twice(
    brokers: Brokers, tmp_path: Path, delay_ms: int, continue_when: Callable[[str], bool]
) -> None:
    with brokers.fleet(tmp_path / "fleet", ENVIRONMENT) as fleet:
        with another_worker(fleet, tmp_path) as worker:
            run = stop_and_continue(fleet, worker, tmp_path, delay_ms=delay_ms, continue_when=continue_when)
            asyncio.run(run)
        assert fleet.stop() == 0
