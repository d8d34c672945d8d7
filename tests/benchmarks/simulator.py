"""A simulator that belongs to no fleet."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.server import running
from tests.support.fleet import clean_environment, free_port


@dataclass(frozen=True)
class LoneSimulator:
    """A running simulator."""

    port: int
    pid: int


@contextmanager
def lone_simulator(base: Path) -> Iterator[LoneSimulator]:
    """Run a simulator of its own while the block lasts; yields where it is."""
    port = free_port()
    environment = clean_environment(
        {
            "PENSTOCK_SIMULATOR__PORT": str(port),
            "PENSTOCK_ADMIN__PORT": "0",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
    )
    argv = [sys.executable, "-m", "services.simulator"]
    with running(argv, environment, port=port, folder=base) as pid:
        yield LoneSimulator(port, pid)
