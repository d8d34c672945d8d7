"""A server that a benchmark runs as a process of its own."""

import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from shared.runtime.engines.waiting import wait_for
from tests.benchmarks.requests import HOST

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0


class NotStartedError(Exception):
    """A server ended, or did not listen in time."""


@contextmanager
def running(
    argv: Sequence[str | Path], environment: Mapping[str, str], *, port: int, folder: Path
) -> Iterator[int]:
    """Run a server from a folder of its own until the block ends; yields its pid once its port is open.

    Raises:
        NotStartedError: It ended, or did not listen in time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        wait_for(lambda: process.poll() is not None or accepts(port), timeout_s=START_TIMEOUT_S)
        if process.poll() is not None or not accepts(port):
            raise NotStartedError(f"it did not start: {log.read_text(errors='replace')[-600:]}")
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)


def accepts(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0
