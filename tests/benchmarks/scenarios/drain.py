"""A backlog: accepted while the queue is paused, then run down."""

from datetime import UTC, datetime

import uvloop

from tests.benchmarks.jobs import QUEUE, broker_of, jobs_of
from tests.benchmarks.report import Report
from tests.benchmarks.scenarios.accepting import Accepted, closed_loop, open_loop
from tests.benchmarks.site import Site

DRAIN_LIMIT_S = 300.0


def run(site: Site, report: Report) -> None:
    """Pause, accept, resume, and time from there to the end of the last job."""
    uvloop.run(_run(site, report))


async def _run(site: Site, report: Report) -> None:
    job = site.requests().job()
    async with jobs_of(site) as jobs, broker_of(site) as broker:
        before = await jobs.completed()
        await broker.pause(QUEUE)
        try:
            accepted = Accepted(await closed_loop(job, site.seconds), await open_loop(job, site.seconds))
        finally:
            resumed_at = datetime.now(UTC)
            await broker.resume(QUEUE)
        drained_s = (await jobs.all_ended(limit_s=DRAIN_LIMIT_S) - resumed_at).total_seconds()
        completed = await jobs.completed() - before
    assert completed == accepted.jobs, f"{completed} of {accepted.jobs} jobs completed"
    accepted.tell(report, "accept.paused", "Accept (202), the queue paused")
    report.fact("drain.per_second", accepted.jobs / drained_s)
    report.table(
        "The queue resumed, until the last job has its end",
        ["jobs", "drained/s", "seconds"],
        [[accepted.jobs, accepted.jobs / drained_s, drained_s]],
    )
