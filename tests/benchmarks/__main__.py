"""``make bench``: measures a fleet on each broker and prints the tables of ``docs/benchmarks.md``.

Ratios count, not figures: the load generator, the simulator, the broker and the stores share the
machine's cores with what is measured.
"""

import argparse
import contextlib
import json
import tempfile
from pathlib import Path

from tests.benchmarks.budget import against_the_budget
from tests.benchmarks.report import Report
from tests.benchmarks.scenarios import SCENARIOS
from tests.benchmarks.site import BROKERS, rabbit_node, site
from tests.support import rabbitmq


def names(known: list[str], given: str) -> list[str]:
    """Split a list of names at its commas; the order is that of ``known``."""
    wanted = set(given.split(","))
    if unknown := wanted - set(known):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not one of {', '.join(known)}")
    return [name for name in known if name in wanted]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    scenarios, brokers = list(SCENARIOS), list(BROKERS)
    parser.add_argument(
        "--only", type=lambda given: names(scenarios, given), default=scenarios, help=",".join(scenarios)
    )
    parser.add_argument(
        "--broker", type=lambda given: names(brokers, given), default=brokers, help=",".join(brokers)
    )
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement (8)")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    return parser.parse_args()


def measure_broker(broker: str, only: list[str], *, seconds: float) -> Report:
    """Run scenarios on a fresh fleet with a broker of its own."""
    report = Report(BROKERS[broker])
    print(f"\n### {report.broker}", flush=True)
    with contextlib.ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        node = stack.enter_context(rabbit_node(base / "rabbitmq")) if broker == "rabbitmq" else None
        place = stack.enter_context(site(base / "fleet", node=node, seconds=seconds))
        for name in only:
            SCENARIOS[name](place, report)
    return report


def main() -> None:
    """Measure what was asked for."""
    asked = arguments()
    brokers = asked.broker
    if "rabbitmq" in brokers and not rabbitmq.installed():
        print("rabbitmq-server is not installed: left out")
        brokers = [broker for broker in brokers if broker != "rabbitmq"]
    reports = [measure_broker(broker, asked.only, seconds=asked.seconds) for broker in brokers]
    print(against_the_budget(reports))
    if asked.json is not None:
        asked.json.write_text(json.dumps([report.as_json() for report in reports], indent=1) + "\n")


if __name__ == "__main__":
    main()
