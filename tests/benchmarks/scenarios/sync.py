"""Synchronous chat: throughput, added latency, and the CPU of every process for one request."""

import uvloop

from tests.benchmarks.load import Figures, measure
from tests.benchmarks.processes import per_request_us
from tests.benchmarks.report import Cell, Report, by_process
from tests.benchmarks.site import Site

CONNECTIONS = (1, 64, 256)


def run(site: Site, report: Report) -> None:
    """Measure the call through the fleet and, just before, the same call of the simulator itself."""
    uvloop.run(_run(site, report))


async def _run(site: Site, report: Report) -> None:
    requests, processes = site.requests(), site.processes(load=True)
    await measure(requests.chat(), connections=64, seconds=min(2.0, site.seconds))
    rows: list[list[Cell]] = []
    cpu: list[dict[str, float]] = []
    for connections in CONNECTIONS:
        direct = await measure(requests.direct(), connections=connections, seconds=site.seconds / 2)
        before = processes.cpu_s()
        through = await measure(requests.chat(), connections=connections, seconds=site.seconds)
        cpu.append(per_request_us(before, processes.cpu_s(), through.requests))
        rows += [_row("direct", direct, direct), _row("sync chat", through, direct)]
        report.fact(f"sync.{connections}.per_second", through.per_second)
        report.fact(f"sync.{connections}.added_p50_ms", _added_ms(through, direct))
        report.fact(f"sync.{connections}.cpu_us", sum(cpu[-1].values()))
    report.table(
        "Sync chat",
        ["what", "connections", "requests/s", "of direct", "p50 ms", "p99 ms", "added p50 ms"],
        rows,
    )
    report.table(
        "CPU of one sync chat, microseconds",
        ["process", *(f"at {connections}" for connections in CONNECTIONS)],
        by_process(cpu),
    )


def _row(what: str, figures: Figures, direct: Figures) -> list[Cell]:
    return [
        what,
        figures.connections,
        figures.per_second,
        figures.per_second / direct.per_second,
        figures.percentile_ms(0.5),
        figures.percentile_ms(0.99),
        _added_ms(figures, direct),
    ]


def _added_ms(figures: Figures, direct: Figures) -> float:
    return figures.percentile_ms(0.5) - direct.percentile_ms(0.5)
