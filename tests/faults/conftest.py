"""A broker of their own for tests that kill it: the node that other tests share must live on."""

from collections.abc import Iterator

import pytest

from tests.faults.brokers import Brokers
from tests.support.rabbitmq import RabbitNode


@pytest.fixture(scope="session")
def own_rabbitmq_node(rabbitmq_installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitNode]:
    node = RabbitNode(tmp_path_factory.mktemp("own-rabbitmq"))
    node.start()
    yield node
    node.close()


@pytest.fixture(params=["embedded", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def brokers(request: pytest.FixtureRequest) -> Brokers:
    if request.param == "embedded":
        return Brokers("embedded", None)
    return Brokers("rabbitmq", request.getfixturevalue("own_rabbitmq_node"))
