"""One fleet for each broker, shared by the tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.support.fleet import Fleet, running_fleet


@pytest.fixture(scope="session", params=["embedded", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    environment = {}
    if request.param == "rabbitmq":
        environment["PENSTOCK_BROKER__URL"] = request.getfixturevalue("fresh_vhost")()
    with running_fleet(tmp_path_factory.mktemp(f"fleet-{request.param}"), environment) as fleet:
        yield fleet
