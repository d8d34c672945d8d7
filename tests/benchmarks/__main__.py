"""``make bench``: the same requests through the fleet and to the simulator itself, in one run.

Prints the tables of ``docs/benchmarks.md``. Both brokers where rabbitmq-server is installed. Ratios count,
not figures: the load generator, the simulator, the broker and the stores share the machine's cores.
"""

import argparse
import asyncio
import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.load import Figures, Target, measure
from tests.support import rabbitmq
from tests.support.fleet import Fleet, running_fleet

CHAT = {
    "messages": [{"role": "user", "content": "Tell me of rivers, and of what they drive, in a few words."}],
    "temperature": 0.2,
}


def targets(fleet: Fleet) -> dict[str, Target]:
    """Name what is measured: the provider alone, and the same call through the fleet."""
    simulator = int(fleet.status()["simulator_url"].rsplit(":", 1)[1].split("/")[0])
    key = {"Authorization": f"Bearer {fleet.api_key}"}
    via = {"model": "simulator/echo", **CHAT}
    job = {"operation": "chat", "input": via}
    return {
        "direct": Target(
            "127.0.0.1", simulator, "/v1/chat/completions", json.dumps({"model": "echo", **CHAT}).encode()
        ),
        "sync chat": Target("127.0.0.1", fleet.port, "/v1/chat/completions", json.dumps(via).encode(), key),
        "accept (202)": Target("127.0.0.1", fleet.port, "/v1/jobs", json.dumps(job).encode(), key, 202),
    }


async def run(fleet: Fleet, broker: str, seconds: float) -> None:
    """Measure one fleet and print its table."""
    named = targets(fleet)
    print(f"\n### {broker}\n")
    print("| what | connections | requests/s | of direct | p50 ms | p99 ms | added p50 ms |")
    print("|---|---|---|---|---|---|---|")
    await measure(named["sync chat"], connections=16, seconds=2)
    for connections in (1, 64):
        direct = await measure(named["direct"], connections=connections, seconds=seconds)
        _print("direct", direct, direct)
        _print(
            "sync chat", await measure(named["sync chat"], connections=connections, seconds=seconds), direct
        )
    _print("accept (202)", await measure(named["accept (202)"], connections=64, seconds=seconds), None)
    status = fleet.status()
    print("\n| process | memory MB |\n|---|---|")
    for entry in [*status["services"], *status.get("engines", [])]:
        print(f"| {entry['name']} | {entry['memory_mb']:.0f} |")


def _print(what: str, figures: Figures, direct: Figures | None) -> None:
    p50, p99 = figures.percentile_ms(0.5), figures.percentile_ms(0.99)
    share = f"{figures.per_second / direct.per_second:.2f}" if direct else "-"
    added = f"{p50 - direct.percentile_ms(0.5):.2f}" if direct else "-"
    print(
        f"| {what} | {figures.connections} | {figures.per_second:,.0f} | {share} "
        f"| {p50:.2f} | {p99:.2f} | {added} |",
        flush=True,
    )


@contextlib.contextmanager
def environments(base: Path) -> Iterator[dict[str, dict[str, str]]]:
    """Start what the brokers need and give each fleet's environment."""
    found: dict[str, dict[str, str]] = {"embedded (PGMQ on PostgreSQL)": {}}
    if not rabbitmq.installed():
        yield found
        return
    node = rabbitmq.RabbitNode(base / "rabbitmq")
    node.start()
    try:
        yield found | {"RabbitMQ": {"PENSTOCK_BROKER__URL": node.url}}
    finally:
        node.close()


def main() -> None:
    """Run every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder, environments(Path(folder)) as brokers:
        for number, (broker, environment) in enumerate(brokers.items()):
            with running_fleet(Path(folder) / f"fleet{number}", environment) as fleet:
                asyncio.run(run(fleet, broker, seconds))
                fleet.stop()
                print(f"\nStarted again, to ready: {fleet.start():.1f} s")


main()
