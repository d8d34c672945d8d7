from collections.abc import Iterator

import pytest

from tests.support.collector import Collector, running_collector


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as collector:
        yield collector
