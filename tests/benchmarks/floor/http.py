"""CPU of serving a request, and of making one as the load generator does."""

import os
import sys
from pathlib import Path

import uvloop

from tests.benchmarks.load import Target, measure
from tests.benchmarks.processes import Processes, per_request_us
from tests.benchmarks.requests import CHAT_BODY, HOST
from tests.benchmarks.server import running
from tests.support.fleet import clean_environment, free_port

CONNECTIONS = 64


def serving(base: Path, *, seconds: float) -> dict[str, float]:
    """Return the CPU microseconds of ``client`` (the load) and ``server`` for one request."""
    port = free_port()
    argv = [sys.executable, "-m", "uvicorn", "tests.benchmarks.floor.echo:app", "--port", str(port)]
    argv += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--lifespan", "off"]
    environment = clean_environment({"PYTHONPATH": str(Path(__file__).parents[3])})
    with running(argv, environment, port=port, folder=base) as pid:
        processes = Processes({"client": (os.getpid(),), "server": (pid,)})
        target = Target(HOST, port, "/v1/chat/completions", CHAT_BODY)
        uvloop.run(measure(target, connections=CONNECTIONS, seconds=1))
        before = processes.cpu_s()
        figures = uvloop.run(measure(target, connections=CONNECTIONS, seconds=seconds))
        return per_request_us(before, processes.cpu_s(), figures.requests)
