"""Batches in bounded memory, and through kills of the scheduler and of ingress: nothing lost, nothing twice.

A few hundred requests by default; ``make batch`` runs 50,000 on each broker.
"""

import json
import signal
from collections import Counter
from collections.abc import Callable, Iterator

import openai
import psutil
import pytest
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from tests.faults.conftest import EACH_BROKER
from tests.support.batches import ENDED, ended, jsonl, line, submit, written
from tests.support.fleet import Fleet, running_fleet

pytestmark = pytest.mark.faults

LIMIT_S = 420.0
MAY_GROW_MB = 10.0
"""Of a process's own memory between a fifth of the way and its end: noise, and not a request's worth."""


SLOWNESS_MS = 120_000
"""Delays of all calls together: a small batch has to last long enough to be hit in its middle."""


class BatchSettings(BaseSettings):
    """Environment, e.g. ``PENSTOCK_TEST_BATCH=50000``."""

    model_config = SettingsConfigDict(env_prefix="PENSTOCK_TEST_", frozen=True)

    batch: int = Field(default=500, ge=100)
    """Requests of a batch, on each broker."""


@pytest.fixture(scope="module", params=EACH_BROKER)
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    environment = {}
    if request.param == "rabbitmq":
        environment["PENSTOCK_BROKER__URL"] = request.getfixturevalue("fresh_vhost")()
    with running_fleet(tmp_path_factory.mktemp(f"batches-{request.param}"), environment) as fleet:
        yield fleet


@pytest.fixture
def client(fleet: Fleet) -> Iterator[openai.OpenAI]:
    # Ingress is away for a moment while it is started anew.
    with openai.OpenAI(base_url=f"{fleet.url}/v1", api_key=fleet.api_key, max_retries=8) as client:
        yield client


@pytest.mark.timeout(2 * LIMIT_S)
def test_a_batch_runs_in_memory_that_does_not_grow_with_it(fleet: Fleet, client: openai.OpenAI) -> None:
    requests = BatchSettings().batch
    batch = submit(client, jsonl(line(f"r-{n}") for n in range(requests)))
    fleet.wait_until(lambda: _done(client, batch.id) >= requests // 5, "a fifth is done", LIMIT_S)
    before = _memory(fleet)
    batch = ended(client, batch.id, LIMIT_S)
    grown = {name: round(mb - before[name], 1) for name, mb in _memory(fleet).items()}
    print(f"\n{requests} requests in {_seconds(batch)} s; grown by MB: {grown}")
    assert batch.status == "completed"
    names = [one["custom_id"] for one in written(client, batch.output_file_id)]
    assert names == [f"r-{n}" for n in range(requests)]
    assert not {name: mb for name, mb in grown.items() if mb > MAY_GROW_MB}


@pytest.mark.timeout(2 * LIMIT_S)
def test_kills_in_the_middle_of_a_batch_lose_nothing_and_double_nothing(
    fleet: Fleet, client: openai.OpenAI
) -> None:
    requests = BatchSettings().batch
    key = "killed"
    slow = {"key": key, "delay_ms": SLOWNESS_MS // requests}
    content = jsonl(line(f"r-{n}", simulator=slow) for n in range(requests))
    batch_id = submit(client, content).id
    for part, victim in enumerate(("scheduler", "ingress", "scheduler"), 1):
        _kill_after(fleet, client, batch_id, done=requests * part // 4, victim=victim)
    batch = ended(client, batch_id, LIMIT_S)
    assert batch.status == "completed"
    assert batch.request_counts is not None
    assert batch.request_counts.model_dump() == {"total": requests, "completed": requests, "failed": 0}
    lines = written(client, batch.output_file_id)
    assert [one["custom_id"] for one in lines] == [f"r-{n}" for n in range(requests)]
    assert all(
        one["response"]["body"]["choices"][0]["message"]["content"] == f"say {one['custom_id']}"
        for one in lines
    )
    assert Counter(one["id"] for one in lines).most_common(1)[0][1] == 1
    assert _calls(fleet, key) == requests


def _kill_after(fleet: Fleet, client: openai.OpenAI, batch_id: str, *, done: int, victim: str) -> None:
    """Kill a service as soon as so many requests are done, or the batch is, and wait for the next one."""
    fleet.wait_until(_reached(client, batch_id, done), f"{done} requests are done", LIMIT_S)
    pid = _pid(fleet, victim)
    psutil.Process(pid).send_signal(signal.SIGKILL)
    fleet.wait_until(lambda: _pid(fleet, victim) not in (pid, None), f"another {victim} runs", 30.0)


def _reached(client: openai.OpenAI, batch_id: str, done: int) -> Callable[[], bool]:
    def reached() -> bool:
        return _done(client, batch_id) >= done or client.batches.retrieve(batch_id).status in ENDED

    return reached


def _done(client: openai.OpenAI, batch_id: str) -> int:
    counts = client.batches.retrieve(batch_id).request_counts
    return counts.completed if counts is not None else 0


def _pid(fleet: Fleet, name: str) -> int | None:
    for entry in fleet.status()["services"]:
        if entry["name"].startswith(name):
            return entry["pid"]
    return None


def _memory(fleet: Fleet) -> dict[str, float]:
    return {
        entry["name"]: psutil.Process(entry["pid"]).memory_full_info().uss / 1e6
        for entry in fleet.status()["services"]
        if entry["name"] != "simulator"
    }


def _seconds(batch: openai.types.Batch) -> int:
    return (batch.completed_at or 0) - batch.created_at


def _calls(fleet: Fleet, key: str) -> int:
    simulator = fleet.status()["simulator_url"].removesuffix("/v1")
    with openai.OpenAI(base_url=simulator, api_key="none") as client:
        return int(json.loads(client.get(f"/simulator/calls?key={key}", cast_to=str))["calls"])
