"""Durable acceptance of background jobs, while the same cores run them."""

import uvloop

from tests.benchmarks.jobs import jobs_of
from tests.benchmarks.report import Report
from tests.benchmarks.scenarios.accepting import Accepted, closed_loop, open_loop
from tests.benchmarks.site import Site

DRAIN_LIMIT_S = 300.0


def run(site: Site, report: Report) -> None:
    """Accept in closed and in open loop; between them, wait for the jobs."""
    uvloop.run(_run(site, report))


async def _run(site: Site, report: Report) -> None:
    job = site.requests().job()
    async with jobs_of(site) as jobs:
        before = await jobs.completed()
        closed = await closed_loop(job, site.seconds)
        await jobs.all_ended(limit_s=DRAIN_LIMIT_S)
        accepted = Accepted(closed, await open_loop(job, site.seconds))
        await jobs.all_ended(limit_s=DRAIN_LIMIT_S)
        completed = await jobs.completed() - before
    assert completed == accepted.jobs, f"{completed} of {accepted.jobs} jobs completed"
    accepted.tell(report, "accept", "Accept (202), the jobs running beside")
