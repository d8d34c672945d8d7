"""A worker beside those of the fleet's supervisor: it joins, and leaves as it is told."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import psutil

from tests.faults.campaign.victims import entry_of
from tests.support.fleet import Fleet, free_port


class Worker:
    """A worker that no supervisor restarts.

    Args:
        fleet: Whose jobs it takes.
        log: Gets its output.
        name: The fleet's worker whose environment it copies.
    """

    def __init__(self, fleet: Fleet, log: Path, *, name: str) -> None:
        self._port = free_port()
        environment = psutil.Process(entry_of(fleet, name).pid).environ()
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.provider_worker"],
                env={**environment, "PENSTOCK_ADMIN__PORT": str(self._port)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    async def has_calls(self, count: int) -> bool:
        """Whether it has so many provider calls under way."""
        return await metric(self._port, "penstock_provider_calls_running") >= count

    async def has_made_calls(self, count: int) -> bool:
        """Whether so many of its provider calls have ended."""
        return await metric(self._port, "penstock_provider_calls_total") >= count

    async def ready(self) -> bool:
        try:
            async with aiohttp.request("GET", f"http://127.0.0.1:{self._port}/health/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


async def metric(port: int | None, name: str) -> float:
    """Add up the samples of a metric; those with some labels, if ``name`` goes on with ``{`` and these."""
    async with aiohttp.request("GET", f"http://127.0.0.1:{port}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    starts = (name,) if "{" in name else (f"{name} ", f"{name}{{")
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(starts))


@contextmanager
def another_worker(fleet: Fleet, folder: Path, *, like: str = "provider_worker") -> Iterator[Worker]:
    """Start one, and end it with the block unless it has ended."""
    worker = Worker(fleet, folder / "worker.log", name=like)
    try:
        yield worker
    finally:
        worker.process.send_signal(signal.SIGCONT)
        worker.process.terminate()
        try:
            worker.process.wait(30)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            raise
