"""A fleet as a user starts it, and what is needed to look at it from outside."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.runtime.engines.postgres import EmbeddedPostgres
from tests.benchmarks.processes import Processes
from tests.benchmarks.requests import Requests
from tests.support.fleet import Fleet, clean_environment, free_port
from tests.support.rabbitmq import RabbitNode

BROKERS = {"embedded": "Embedded (PGMQ on PostgreSQL)", "rabbitmq": "RabbitMQ"}


@dataclass
class Site:
    """A running fleet."""

    fleet: Fleet
    node: RabbitNode | None
    first_start_s: float
    """From ``penstock up`` in an empty folder to ready."""
    seconds: float
    """How long each measurement lasts."""

    def requests(self) -> Requests:
        simulator = int(self.fleet.status()["simulator_url"].rsplit(":", 1)[1].split("/")[0])
        return Requests(self.fleet.port, self.fleet.api_key, simulator)

    def processes(self, *, load: bool = False) -> Processes:
        """Name what runs now: services (all of one kind together), engines, the broker, and the load."""
        status = self.fleet.status()
        pids: dict[str, tuple[int, ...]] = {}
        for entry in [*status["services"], *status["engines"]]:
            name = entry["name"].split("-")[0]
            pids[name] = (*pids.get(name, ()), entry["pid"])
        if self.node is not None and self.node.pid is not None:
            pids["rabbitmq"] = (self.node.pid,)
        if load:
            pids["load"] = (os.getpid(),)
        return Processes(pids)

    @property
    def postgres_url(self) -> str:
        data = self.fleet.data_dir.absolute()
        return EmbeddedPostgres(data / "postgres", data / "run").url

    @property
    def broker_url(self) -> str:
        return self.postgres_url if self.node is None else self.node.url

    def restart(self) -> float:
        """Stop and start in the same folder; returns the seconds from start to ready."""
        self.fleet.stop()
        return self.fleet.start()


@contextmanager
def rabbit_node(base: Path) -> Iterator[RabbitNode]:
    """Run a private node while the block lasts."""
    node = RabbitNode(base)
    node.start()
    try:
        yield node
    finally:
        node.close()


@contextmanager
def site(
    base: Path, *, node: RabbitNode | None, seconds: float, extra: Mapping[str, str] = {}
) -> Iterator[Site]:
    """Start a fleet in a fresh folder, on RabbitMQ if a node is given, and stop it at the end."""
    base.mkdir(parents=True)
    broker = {} if node is None else {"PENSTOCK_BROKER__URL": node.url}
    fleet = Fleet(base / "data", free_port(), clean_environment({**broker, **extra}))
    try:
        yield Site(fleet, node, fleet.start(), seconds)
    finally:
        if fleet.process is not None and fleet.process.poll() is None:
            fleet.stop()
