"""``make bench-peers``: sync chat through Penstock and through other gateways, rounds interleaved.

Prints the tables of the section "Against other gateways" of ``docs/benchmarks.md``.
"""

import argparse
import contextlib
import json
import os
import statistics
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from tests.benchmarks.peers.installed import NotInstalledError
from tests.benchmarks.peers.litellm import litellm_proxy
from tests.benchmarks.peers.paused import pause, resume
from tests.benchmarks.peers.penstock import penstock
from tests.benchmarks.peers.portkey import portkey_gateway
from tests.benchmarks.peers.rounds import CONNECTIONS, Measured, Rounds
from tests.benchmarks.peers.subject import Subject
from tests.benchmarks.report import Cell, Report
from tests.benchmarks.server import NotStartedError
from tests.benchmarks.simulator import lone_simulator
from tests.benchmarks.site import rabbit_node
from tests.support import rabbitmq

LITELLM_WORKERS = (1, max(2, os.cpu_count() or 2))
"""Its default, and one for each core."""
TARGETS = {"Portkey": 1.0, "LiteLLM": 20.0}

Start = Callable[[], AbstractContextManager[Subject]]


def main() -> None:
    """Start every gateway, run the rounds, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement (5)")
    parser.add_argument("--rounds", type=int, default=3, help="each gateway is measured so many times (3)")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    asked = parser.parse_args()
    with contextlib.ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        subjects = start(stack, base)
        stack.callback(resume, subjects)
        for subject in subjects:
            pause(subject)
        rounds = Rounds(subjects, seconds=asked.seconds)
        rounds.run(asked.rounds)
    report = Report("Against other gateways")
    tell(report, rounds)
    if asked.json is not None:
        asked.json.write_text(json.dumps(report.as_json(), indent=1) + "\n")


def start(stack: contextlib.ExitStack, base: Path) -> list[Subject]:
    """Start what can be started; a peer that cannot is named and left out."""
    port = stack.enter_context(lone_simulator(base / "simulator")).port
    ways: dict[str, Start] = {"Portkey": lambda: portkey_gateway(base / "portkey", simulator_port=port)}
    for workers in LITELLM_WORKERS:
        ways[f"LiteLLM, {workers}"] = _litellm(base, port, workers)
    ways["Penstock, embedded"] = lambda: penstock(base / "embedded", simulator_port=port, node=None)
    if rabbitmq.installed():
        node = stack.enter_context(rabbit_node(base / "rabbitmq"))
        ways["Penstock, RabbitMQ"] = lambda: penstock(base / "fleet", simulator_port=port, node=node)
    else:
        print("rabbitmq-server is not installed: left out")
    subjects = []
    for name, way in ways.items():
        try:
            subjects.append(stack.enter_context(way()))
        except (NotInstalledError, NotStartedError) as error:
            print(f"{name} is left out: {error}")
    return subjects


def _litellm(base: Path, port: int, workers: int) -> Start:
    return lambda: litellm_proxy(base / f"litellm-{workers}", simulator_port=port, workers=workers)


def tell(report: Report, rounds: Rounds) -> None:
    """Print the medians and the ratios."""
    report.table(
        "Sync chat through each gateway, medians of the rounds",
        ["gateway", "connections", "requests/s", "lowest", "highest", "p50 ms", "p99 ms", "CPU µs"],
        [
            _row(name, connections, measured)
            for name, at in rounds.measured.items()
            for connections, measured in at.items()
        ],
        note="CPU: of the gateway's own processes for one request, its broker and stores included.",
    )
    report.table(
        "Memory after the rounds, MB (PSS)",
        ["gateway", "MB"],
        [[name, mb] for name, mb in rounds.memory_mb.items()],
    )
    ours = [name for name in rounds.measured if name.startswith("Penstock")]
    rows = [_ratios(report, rounds, mine, peer) for mine in ours for peer in TARGETS]
    report.table(
        "Requests/s: Penstock's over the peer's",
        ["Penstock on", "peer, best of its settings", *(f"at {c}" for c in CONNECTIONS), "target at 64"],
        [row for row in rows if row is not None],
    )


def _row(name: str, connections: int, measured: Measured) -> list[Cell]:
    return [
        name,
        connections,
        measured.median_per_second,
        min(measured.per_second),
        max(measured.per_second),
        statistics.median(measured.p50_ms),
        statistics.median(measured.p99_ms),
        statistics.median(measured.cpu_us),
    ]


def _ratios(report: Report, rounds: Rounds, mine: str, peer: str) -> list[Cell] | None:
    settings = [at for name, at in rounds.measured.items() if name.startswith(peer)]
    if not settings:
        return None
    ratios: list[Cell] = []
    for connections in CONNECTIONS:
        best = max(at[connections].median_per_second for at in settings)
        ratio = rounds.measured[mine][connections].median_per_second / best
        report.fact(f"{mine}/{peer}.{connections}", ratio)
        ratios.append(ratio)
    return [mine.removeprefix("Penstock, "), peer, *ratios, f"≥ {TARGETS[peer]:g}"]


if __name__ == "__main__":
    main()
