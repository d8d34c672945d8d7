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

from tests.benchmarks.floor.broker import Passing
from tests.benchmarks.floor.call import calling
from tests.benchmarks.floor.http import serving
from tests.benchmarks.processes import Processes
from tests.benchmarks.report import Cell, Report
from tests.benchmarks.simulator import lone_simulator
from tests.benchmarks.site import rabbit_node


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
        passing = Passing(node.url, both, seconds=seconds)
        queued, replied = uvloop.run(passing.queued()), uvloop.run(passing.replied())
    tell(
        {
            "one HTTP request: the load, uvicorn with a raw ASGI application": (served, 1),
            "one provider call: aiohttp, the simulator": (called, 1),
            "one queued message: our client, RabbitMQ (quorum, confirmed, acknowledged)": (queued, 2),
            "one reply: our client, RabbitMQ (exclusive, transient)": (replied, 1),
        }
    )


def tell(parts: dict[str, tuple[dict[str, float], int]]) -> None:
    """Print the table and its sum."""
    rows: list[list[Cell]] = [
        [what, used["client"], used["server"], times] for what, (used, times) in parts.items()
    ]
    floor = sum(sum(used.values()) * times for used, times in parts.values())
    Report("floor").table(
        "The floor of a sync chat over RabbitMQ, CPU µs",
        ["part: client, server", "client", "server", "times in a sync chat"],
        rows,
        note=f"Together {floor:,.0f} µs, without records, accounts and everything that makes it a gateway.",
    )


if __name__ == "__main__":
    main()
