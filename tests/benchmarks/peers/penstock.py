"""Penstock as ``penstock up`` runs it, with everything on: durability, accounting, records of every call."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.peers.subject import Subject
from tests.benchmarks.requests import HOST, Requests
from tests.benchmarks.site import BROKERS, site
from tests.support.rabbitmq import RabbitNode


@contextmanager
def penstock(base: Path, *, simulator_port: int, node: RabbitNode | None) -> Iterator[Subject]:
    """Run a fleet that knows the shared simulator as the provider ``shared``."""
    provider = {
        "PENSTOCK_PROVIDERS__SHARED__BASE_URL": f"http://{HOST}:{simulator_port}/v1",
        "PENSTOCK_PROVIDERS__SHARED__MODELS": json.dumps(["echo"]),
    }
    with site(base, node=node, seconds=0, extra=provider) as place:
        fleet = place.fleet
        assert fleet.process is not None
        requests = Requests(fleet.port, fleet.api_key, simulator_port, provider="shared")
        others = (pid for pids in place.processes().pids.values() for pid in pids)
        yield Subject(
            f"Penstock, {BROKERS['embedded' if node is None else 'rabbitmq']}",
            requests.chat(),
            (fleet.process.pid, *others),
        )
