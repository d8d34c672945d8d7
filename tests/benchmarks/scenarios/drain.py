"""A backlog: accepted while the queue is paused, then run down."""

from datetime import UTC, datetime

import uvloop

from tests.benchmarks.jobs import QUEUE, broker_of, jobs_of
from tests.benchmarks.load import complete
from tests.benchmarks.report import Report
from tests.benchmarks.site import Site

JOBS_PER_SECOND_OF_MEASUREMENT = 1000
CONNECTIONS = 64
LIMIT_S = 300.0


def run(site: Site, report: Report) -> None:
    """Pause, accept, resume, and time from there to the end of the last job."""
    uvloop.run(_run(site, report))


async def _run(site: Site, report: Report) -> None:
    count = round(JOBS_PER_SECOND_OF_MEASUREMENT * site.seconds)
    async with jobs_of(site) as jobs, broker_of(site) as broker:
        before = await jobs.completed()
        await broker.pause(QUEUE)
        try:
            accepted = await complete(
                site.requests().job(), connections=CONNECTIONS, requests=count, limit_s=LIMIT_S
            )
        finally:
            resumed_at = datetime.now(UTC)
            await broker.resume(QUEUE)
        drained_s = (await jobs.all_ended(limit_s=LIMIT_S) - resumed_at).total_seconds()
        lost = count - (await jobs.completed() - before)
    assert lost == 0, f"{lost} of {count} jobs did not complete"
    report.fact("accept.paused_per_second", accepted.per_second)
    report.fact("accept.paused_p99_ms", accepted.percentile_ms(0.99))
    report.fact("drain.per_second", count / drained_s)
    report.table(
        "A backlog of jobs, accepted while the queue is paused, then drained",
        ["jobs", "accepted/s", "accept p50 ms", "accept p99 ms", "drained/s", "drained in s"],
        [
            [
                count,
                accepted.per_second,
                accepted.percentile_ms(0.5),
                accepted.percentile_ms(0.99),
                count / drained_s,
                drained_s,
            ]
        ],
    )
