"""Engines that end with their test, whatever the test did to them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.runtime.engines.server import EmbeddedServer
from tests.integration.engines.subjects import POSTGRES, VALKEY, Subject


@pytest.fixture(params=[POSTGRES, VALKEY], ids=["postgres", "valkey"])
def subject(request: pytest.FixtureRequest) -> Subject:
    return request.param


@pytest.fixture
def stopped_afterwards() -> Iterator[Callable[[EmbeddedServer], EmbeddedServer]]:
    engines: list[EmbeddedServer] = []

    def remember(engine: EmbeddedServer) -> EmbeddedServer:
        engines.append(engine)
        return engine

    yield remember
    for engine in engines:
        engine.stop()


@pytest.fixture
def make(subject: Subject, stopped_afterwards) -> Callable[[Path], EmbeddedServer]:
    return lambda folder: stopped_afterwards(subject.make(folder))
