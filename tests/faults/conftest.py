"""Brokers for fleets: the node that all tests share, and one of their own for tests that kill it."""

from collections.abc import Iterator, Mapping

import pytest

from tests.faults.brokers import Brokers
from tests.support.rabbitmq import RabbitNode

EACH_BROKER = ["embedded", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)]


@pytest.fixture(params=EACH_BROKER)
def environment(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """Settings of a fleet on either broker, for tests that leave the broker alone."""
    if request.param == "embedded":
        return {}
    return {"PENSTOCK_BROKER__URL": request.getfixturevalue("fresh_vhost")()}


@pytest.fixture(scope="session")
def own_rabbitmq_node(rabbitmq_installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitNode]:
    node = RabbitNode(tmp_path_factory.mktemp("own-rabbitmq"))
    try:
        node.start()
        yield node
    finally:
        node.close()


@pytest.fixture(params=EACH_BROKER)
def brokers(request: pytest.FixtureRequest) -> Brokers:
    if request.param == "embedded":
        return Brokers("embedded", None)
    return Brokers("rabbitmq", request.getfixturevalue("own_rabbitmq_node"))
