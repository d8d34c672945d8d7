"""Where the CPU of one sync chat goes: what each process takes, split by a sampling profiler.

Needs py-spy on the PATH, an optional tool of the developer, and the right to look into other processes.
"""

import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import uvloop

from tests.benchmarks.load import measure
from tests.benchmarks.parts import samples
from tests.benchmarks.processes import Processes, per_request_us
from tests.benchmarks.report import Cell, Report
from tests.benchmarks.site import Site

CONNECTIONS = 64
SERVICES = ("ingress", "provider_worker", "results")
RATE_HZ = 250
LATE_S = 30.0
NEGLIGIBLE = 0.01


def run(site: Site, report: Report) -> None:
    """Profile the three services on the way of a call while 64 connections keep them busy."""
    spy = shutil.which("py-spy")
    if spy is None:
        print("\npy-spy is not on the PATH: the profile is left out")
        return
    target, processes = site.requests().chat(), site.processes(load=True)
    uvloop.run(measure(target, connections=CONNECTIONS, seconds=1))
    before = processes.cpu_s()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        spies = _start(spy, processes, base, seconds=site.seconds)
        figures = uvloop.run(measure(target, connections=CONNECTIONS, seconds=site.seconds + 1))
        used = per_request_us(before, processes.cpu_s(), figures.requests)
        for profiling in spies:
            assert profiling.wait(LATE_S) == 0, "py-spy failed"
        sampled = {name: _read(base, name) for name in SERVICES}
    report.fact("profile.cpu_us", sum(used.values()))
    report.table(
        "One sync chat at 64 connections: where the CPU goes, microseconds",
        ["process", "part", "µs"],
        _rows(used, sampled),
    )


def _start(spy: str, processes: Processes, base: Path, *, seconds: float) -> list[subprocess.Popen[bytes]]:
    record = [spy, "record", "--format", "raw", "--rate", str(RATE_HZ), "--duration", str(round(seconds))]
    return [
        subprocess.Popen(
            [*record, "--output", str(base / f"{name}-{pid}.raw"), "--pid", str(pid)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name in SERVICES
        for pid in processes.pids[name]
    ]


def _read(base: Path, name: str) -> Counter[str]:
    return sum((samples(path.read_text()) for path in base.glob(f"{name}-*.raw")), Counter())


def _rows(used: dict[str, float], sampled: dict[str, Counter[str]]) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for name, cpu_us in used.items():
        rows.append([f"**{name}**", "", cpu_us])
        parts = sampled.get(name, Counter())
        shares = {part: count / parts.total() for part, count in parts.most_common()}
        rows += [["", part, share * cpu_us] for part, share in shares.items() if share >= NEGLIGIBLE]
    return [*rows, ["**all**", "", sum(used.values())]]
