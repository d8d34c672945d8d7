"""The simulator and the surroundings of a worker, for each test."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from services.simulator.app import listening
from services.simulator.settings import SimulatorSection
from tests.integration.provider_worker.harness import Surroundings, surroundings


@pytest.fixture
async def simulator_url() -> AsyncIterator[str]:
    async with listening(SimulatorSection(port=0)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def database_url(fresh_database: Callable[[], str]) -> str:
    return fresh_database()


@pytest.fixture
async def around(
    database_url: str, valkey_url: str, simulator_url: str, tmp_path: Path
) -> AsyncIterator[Surroundings]:
    async with surroundings(database_url, valkey_url, simulator_url, tmp_path) as found:
        yield found
