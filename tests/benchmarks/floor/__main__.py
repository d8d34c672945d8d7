"""``make bench-floor``: the least that one sync chat over RabbitMQ can cost, part by part.

What a sync chat must do: serve one HTTP request, call the provider once, and send three messages: the job
and the result through quorum queues, the reply through a queue of its receiver.
"""

import argparse
import contextlib
import os
import tempfile
from pathlib import Path

import uvloop

from tests.benchmarks.floor.amqp import JOB, REPLY, message_through
from tests.benchmarks.floor.call import calling
from tests.benchmarks.floor.http import serving
from tests.benchmarks.processes import Processes
from tests.benchmarks.report import Cell, Report
from tests.benchmarks.simulator import lone_simulator
from tests.benchmarks.site import rabbit_node

QUORUM_MESSAGES = 2


def main() -> None:
    """Measure each part and print them with their sum."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement (5)")
    seconds = parser.parse_args().seconds
    with contextlib.ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        served = serving(base / "echo", seconds=seconds)
        simulator = stack.enter_context(lone_simulator(base / "simulator"))
        called = uvloop.run(
            calling(
                simulator.port,
                Processes({"client": (os.getpid(),), "server": (simulator.pid,)}),
                seconds=seconds,
            )
        )
        node = stack.enter_context(rabbit_node(base / "rabbitmq"))
        assert node.pid is not None
        both = Processes({"client": (os.getpid(),), "server": (node.pid,)})
        through = {
            kind: uvloop.run(message_through(node.url, kind, both, seconds=seconds)) for kind in (JOB, REPLY)
        }
    tell(served, called, through)


def tell(served: dict[str, float], called: dict[str, float], through: dict[str, dict[str, float]]) -> None:
    """Print the table."""
    rows: list[list[Cell]] = [
        ["one HTTP request: uvicorn, a raw ASGI application", served["load"], served["server"], 1],
        ["one provider call: aiohttp, the simulator", called["client"], called["server"], 1],
        [f"one message: aiormq, {JOB}", through[JOB]["client"], through[JOB]["server"], QUORUM_MESSAGES],
        [f"one message: aiormq, {REPLY}", through[REPLY]["client"], through[REPLY]["server"], 1],
    ]
    floor = sum((float(row[1] or 0) + float(row[2] or 0)) * int(row[3] or 0) for row in rows)
    Report("floor").table(
        "The floor of a sync chat over RabbitMQ, CPU µs",
        ["part", "client", "server", "times in a sync chat"],
        rows,
        note=f"Together {floor:,.0f} µs, without records, accounts and everything that makes it a gateway.",
    )


if __name__ == "__main__":
    main()
