"""Ingress keeps nothing of a request that is over, whether it was answered or its reader went away."""

import asyncio
import json
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from tests.benchmarks.load import complete
from tests.benchmarks.load.aborted import abort_streams
from tests.benchmarks.requests import Requests, numbered
from tests.support.fleet import Fleet, running_fleet

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

PORTIONS = 5
"""Memory after the first of them, when every pool and cache is warm, is compared with memory at the end."""
LIMIT_S = 300.0


class Size(BaseSettings):
    """Environment, e.g. ``PENSTOCK_TEST_MEMORY_REQUESTS=100000`` (``make memory``)."""

    model_config = SettingsConfigDict(env_prefix="PENSTOCK_TEST_", frozen=True)

    memory_requests: int = Field(default=10_000, ge=1000)
    """Synchronous requests; a tenth as many streams are aborted."""


@pytest.fixture
def fleet(environment: Mapping[str, str], tmp_path: Path) -> Iterator[Fleet]:
    with running_fleet(tmp_path, environment) as fleet:
        yield fleet


def test_memory_of_ingress_does_not_grow_with_requests_and_aborted_streams(fleet: Fleet) -> None:
    status = fleet.status()
    ingress = psutil.Process(next(s["pid"] for s in status["services"] if s["name"].startswith("ingress")))
    size = Size().memory_requests
    memory_mb = []
    for _ in range(PORTIONS):
        asyncio.run(one_portion(fleet, status["simulator_url"], size // PORTIONS))
        fleet.wait_until(lambda: not streams_at(status["simulator_url"]), "the aborted streams are over")
        memory_mb.append(ingress.memory_full_info().uss / 2**20)
    grown_mb = memory_mb[-1] - memory_mb[0]
    print(f"\n{size} requests, {size // 10} aborted streams, MB after each portion: {memory_mb}")
    assert grown_mb <= allowed_mb(size), memory_mb


def allowed_mb(size: int) -> float:
    """A few MB that the allocator may hold, and 20 bytes for each request: far less than a request takes."""
    return 4.0 + size * 20 / 2**20


async def one_portion(fleet: Fleet, simulator_url: str, requests: int) -> None:
    ask = Requests(fleet.port, fleet.api_key, int(simulator_url.rsplit(":", 1)[1]))
    await complete(ask.chat(), connections=64, requests=requests, limit_s=LIMIT_S)
    endless = {
        "stream": True,
        "messages": [{"role": "user", "content": numbered(1000)}],
        "simulator": {"tokens_per_s": 20},
    }
    await abort_streams(ask.chat(**endless), count=requests // 10, at_a_time=32, limit_s=LIMIT_S)


def streams_at(simulator_url: str) -> int:
    with urllib.request.urlopen(f"{simulator_url}/simulator/calls", timeout=10) as answer:  # noqa: S310 - loopback
        return int(json.load(answer)["active"])
