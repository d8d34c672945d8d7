"""Real servers for the tests, started once a session and ended with it."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from shared.runtime.engines.postgres import EmbeddedPostgres
from shared.runtime.engines.valkey import EmbeddedValkey
from tests.support import rabbitmq
from tests.support.databases import Databases
from tests.support.rabbitmq import RabbitNode
from tests.support.servers import ServersForTests


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Superuser's URL of a server that all tests share: take a database of `fresh_database`."""
    folder = tmp_path_factory.mktemp("postgres")
    engine = EmbeddedPostgres(folder / "data", folder / "run")
    engine.start()
    yield engine.url
    engine.stop()


@pytest.fixture(scope="module")
def fresh_database(postgres_url: str) -> Iterator[Callable[[], str]]:
    """Each call makes an empty database and returns its URL; they are dropped after the module."""
    databases = Databases(postgres_url)
    yield databases.create
    databases.drop_all()


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server that all tests share: take keys that no other test uses."""
    folder = tmp_path_factory.mktemp("valkey")
    engine = EmbeddedValkey(folder / "data", folder / "run")
    engine.start()
    yield engine.url
    engine.stop()


@pytest.fixture(scope="session")
def rabbitmq_installed() -> None:
    """Skip, or in CI fail, where no node can be started."""
    if not rabbitmq.installed():
        missing = "needs rabbitmq-server: apt-get install rabbitmq-server"
        (pytest.fail if ServersForTests().ci else pytest.skip)(missing)


@pytest.fixture(scope="session")
def rabbitmq_node(rabbitmq_installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitNode]:
    """A private node that all tests share."""
    node = RabbitNode(tmp_path_factory.mktemp("rabbitmq"))
    try:
        node.start()
        yield node
    finally:
        node.close()


@pytest.fixture(scope="session")
def rabbitmq_url(request: pytest.FixtureRequest) -> str:
    """URL of PENSTOCK_TEST_RABBITMQ_URL, or of the private node: take queues that no other test uses."""
    named = ServersForTests().rabbitmq_url
    return request.getfixturevalue("rabbitmq_node").url if named is None else named.get_secret_value()


@pytest.fixture(scope="session")
def fresh_vhost(rabbitmq_node: RabbitNode) -> Callable[[], str]:
    """Each call returns the URL of a new virtual host: two fleets on one would take each other's jobs."""
    numbers = itertools.count(1)
    return lambda: rabbitmq_node.add_vhost(f"fleet-{next(numbers)}")
