"""The one provider that every gateway calls."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.peers.subject import running
from tests.support.fleet import clean_environment, free_port


@contextmanager
def shared_simulator(base: Path) -> Iterator[int]:
    """Run a simulator of its own while the block lasts; yields its port."""
    port = free_port()
    environment = clean_environment(
        {
            "PENSTOCK_SIMULATOR__PORT": str(port),
            "PENSTOCK_ADMIN__PORT": "0",
            "PYTHONPATH": str(Path(__file__).parents[3]),
        }
    )
    argv = [sys.executable, "-m", "services.simulator"]
    with running(argv, environment, port=port, folder=base):
        yield port
