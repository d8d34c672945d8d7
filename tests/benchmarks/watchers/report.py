"""``make watchers``: prints what waiting callers cost; fails where it is over the target."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.watchers.measure import Watched, watch
from tests.benchmarks.watchers.waiting import KINDS
from tests.support.fleet import running_fleet

CPU_PERCENT = 15.0
MEMORY_MB = 2048.0


def main() -> None:
    """Measure each kind of waiting on a fleet of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000, help="callers (10,000)")
    parser.add_argument("--seconds", type=float, default=60.0, help="that they wait (60)")
    parser.add_argument("--only", choices=list(KINDS), help="one kind of waiting")
    asked = parser.parse_args()
    held = True
    for kind in [asked.only] if asked.only else KINDS:
        with tempfile.TemporaryDirectory() as base, running_fleet(Path(base)) as fleet:
            found = watch(fleet, kind, count=asked.count, seconds=asked.seconds)
        held = _report(kind, found, asked.count) and held
    sys.exit(0 if held else 1)


def _report(kind: str, found: Watched, count: int) -> bool:
    print(
        f"{kind}: {found.waiting} wait; ingress {found.cpu_percent:.1f} % of a core, "
        f"{found.memory_mb:.0f} MB ({found.memory_before_mb:.0f} before); {found.comments} comments, "
        f"{found.turned_away} polls turned away; "
        f"then {found.ends} in {found.told_s:.1f} s",
        flush=True,
    )
    told = found.waiting == count and found.ends == {"cancelled": count}
    return told and found.cpu_percent < CPU_PERCENT and found.memory_mb < MEMORY_MB


if __name__ == "__main__":
    main()
