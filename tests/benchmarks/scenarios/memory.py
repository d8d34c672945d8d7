"""Memory of every process, after the load of the scenarios before and of a fleet just started."""

import uvloop

from tests.benchmarks.load import measure
from tests.benchmarks.report import Report, by_process
from tests.benchmarks.site import Site


def run(site: Site, report: Report) -> None:
    """Look at the fleet as it is, then start it anew and look again."""
    uvloop.run(measure(site.requests().chat(), connections=64, seconds=site.seconds / 2))
    loaded, loaded_all = site.processes().memory_mb(), site.fleet.status()["memory_mb"]
    site.restart()
    fresh, fresh_all = site.processes().memory_mb(), site.fleet.status()["memory_mb"]
    for name in ("ingress", "provider_worker"):
        report.fact(f"memory.{name}_mb", loaded[name])
    report.fact("memory.fleet_mb", loaded_all)
    report.table(
        "Memory, MB (PSS)",
        ["process", "just started", "after the load"],
        by_process([fresh, loaded]),
        note=f"The local fleet, its supervisor included and RabbitMQ not: {fresh_all:.0f} MB just started, "
        f"{loaded_all:.0f} MB after the load.",
    )
