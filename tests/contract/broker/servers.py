"""Broker servers that a test may kill, the same for both kinds."""

import contextlib
from pathlib import Path
from typing import Protocol

import psutil

from shared.runtime.engines.postgres import EmbeddedPostgres
from tests.support.rabbitmq import RabbitNode


class Server(Protocol):
    """A server that comes back with its data, at the same address."""

    @property
    def url(self) -> str: ...

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def settle_queues(self) -> None: ...

    def close(self) -> None: ...


class PostgresServer:
    """PostgreSQL from its wheel."""

    def __init__(self, folder: Path) -> None:
        self._engine = EmbeddedPostgres(folder / "data", folder / "run")

    @property
    def url(self) -> str:
        return self._engine.url

    def start(self) -> None:
        self._engine.start()

    def kill(self) -> None:
        """End the server and its backends: those would answer on for a moment."""
        postmaster = psutil.Process(self._engine.pid)
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        _, alive = psutil.wait_procs(processes, timeout=10)
        assert not alive

    def settle_queues(self) -> None:
        """Do nothing: a queue is a committed table."""

    def close(self) -> None:
        self._engine.stop()


def server(kind: str, folder: Path) -> Server:
    return RabbitNode(folder) if kind == "rabbitmq" else PostgresServer(folder)
