"""Durable acceptance of background jobs, while the same cores run them."""

import uvloop

from tests.benchmarks.jobs import jobs_of
from tests.benchmarks.load import Figures, measure, offer
from tests.benchmarks.report import Cell, Report
from tests.benchmarks.site import Site

CONNECTIONS = 64
OFFERED_PER_S = 1500.0
DRAIN_LIMIT_S = 300.0


def run(site: Site, report: Report) -> None:
    """Measure closed loop (as fast as 64 callers can), then open loop at the budget's pace."""
    uvloop.run(_run(site, report))


async def _run(site: Site, report: Report) -> None:
    job = site.requests().job()
    async with jobs_of(site) as jobs:
        closed = await measure(job, connections=CONNECTIONS, seconds=site.seconds)
        await jobs.all_ended(limit_s=DRAIN_LIMIT_S)
        opened = await offer(job, per_second=OFFERED_PER_S, seconds=site.seconds, connections=4 * CONNECTIONS)
        await jobs.all_ended(limit_s=DRAIN_LIMIT_S)
        completed = await jobs.completed()
    assert completed >= closed.requests + opened.requests, f"{completed} jobs completed"
    report.fact("accept.per_second", closed.per_second)
    report.fact("accept.closed_p99_ms", closed.percentile_ms(0.99))
    report.fact("accept.open_p99_ms", opened.percentile_ms(0.99))
    report.table(
        "Accept (202), the jobs running beside",
        ["how", "accepted/s", "p50 ms", "p99 ms"],
        [
            _row(f"closed loop, {CONNECTIONS} connections", closed),
            _row(f"open loop, {OFFERED_PER_S:.0f}/s offered", opened),
        ],
        note="Closed loop: as fast as the callers get their answers, so a latency is mostly queueing. "
        "Open loop: from when a request was due.",
    )


def _row(how: str, figures: Figures) -> list[Cell]:
    return [how, figures.per_second, figures.percentile_ms(0.5), figures.percentile_ms(0.99)]
