"""``kill -9`` of whom the campaign spares: the provider that counts its calls, and the supervisor."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.fleet import Fleet, running_fleet

pytestmark = pytest.mark.faults

JOBS = 60


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """On the embedded broker: neither of the two has to do with the broker."""
    with running_fleet(tmp_path_factory.mktemp("fleet"), {"PENSTOCK_BROKER__LEASE_S": "5"}) as fleet:
        yield fleet


def submit(fleet: Fleet, number: int) -> dict:
    body = {
        "operation": "chat",
        "max_attempts": 10,
        "input": {
            "model": "simulator/echo",
            "messages": [{"role": "user", "content": f"job {number}"}],
            "simulator": {"delay_ms": 1500},
        },
    }
    status, _, raw = fleet.request("POST", "/v1/jobs", body)
    assert status == 202, raw
    return json.loads(raw)


def finished(fleet: Fleet, job: dict) -> dict:
    for _ in range(3):
        state = fleet.json("GET", f"{job['urls']['self']}?wait=45")
        if state["status"] not in ("queued", "in_progress"):
            return state
    raise AssertionError(f"{job['id']} did not end: {state}")


@pytest.mark.timeout(240)
def test_every_job_ends_exactly_once_when_the_provider_is_killed(fleet: Fleet) -> None:
    with ThreadPoolExecutor(16) as pool:
        before = simulator(fleet)
        jobs = list(pool.map(lambda number: submit(fleet, number), range(JOBS)))
        killed_at = int(time.time())
        os.kill(before, signal.SIGKILL)
        fleet.wait_until(lambda: simulator(fleet) not in (None, before), "the simulator is started anew")
        ends = list(pool.map(lambda job: finished(fleet, job), jobs))
    assert max(end["finished_at"] for end in ends) >= killed_at, "no job was under way at the kill"
    assert Counter(end["status"] for end in ends) == {"completed": JOBS}
    for job in jobs:
        history = read_events(fleet, job)
        assert [kind for kind in history if kind == "job.completed"] == ["job.completed"]
        assert history[-1] == "job.completed"


def simulator(fleet: Fleet) -> int:
    return next(entry["pid"] for entry in fleet.status()["services"] if entry["name"] == "simulator")


def read_events(fleet: Fleet, job: dict) -> list[str]:
    _, _, raw = fleet.request("GET", job["urls"]["events"])
    return [line.removeprefix("event: ") for line in raw.decode().splitlines() if line.startswith("event: ")]


@pytest.mark.timeout(180)
def test_the_supervisor_killed_leaves_nothing_behind_and_the_next_start_goes_on(fleet: Fleet) -> None:
    job = submit(fleet, 1)
    children = [entry["pid"] for entry in fleet.status()["services"]]
    assert fleet.process is not None
    fleet.process.kill()
    fleet.process.wait(10)
    fleet.process = None
    fleet.wait_until(lambda: not any(alive(pid) for pid in children), "the services ended by themselves")
    fleet.start()
    assert finished(fleet, job)["status"] == "completed"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
