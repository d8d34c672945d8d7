"""Callers who wait, while the batch lane is empty and while it is full: by turns, in one run."""

import time
from dataclasses import dataclass, field

import uvloop

from shared.contracts.jobs import Lane, Operation
from shared.messaging.broker import Broker
from shared.messaging.topology import job_queue
from tests.benchmarks.jobs import Jobs, broker_of, jobs_of
from tests.benchmarks.load import measure
from tests.benchmarks.load.figures import percentile
from tests.benchmarks.load.target import Target
from tests.benchmarks.report import Report
from tests.benchmarks.site import Site

QUEUE = job_queue(Operation.CHAT, Lane.BATCH)
CALLERS = 16
CALL_MS = 200
TURNS = 3
ACCEPT_CONNECTIONS = 64
DRAIN_LIMIT_S = 120.0
BATCH_MS = {"of 200 ms": 200, "of no time at all": 0}
"""What a job of the batch lane takes at its provider: its slots are the limit, or the machine is."""
ENOUGH_PER_S = {200: 200, 0: 1000}
"""More jobs than the batch lane can do."""


@dataclass
class Turns:
    """Latencies of all turns of one kind, and the batch jobs done meanwhile."""

    latencies_ms: list[float] = field(default_factory=list)
    seconds: float = 0.0
    batch_jobs: int = 0

    def percentile_ms(self, share: float) -> float:
        return percentile(sorted(self.latencies_ms), share)


def run(site: Site, report: Report) -> None:
    """Fill the lane while its queue is paused; let it run every other turn."""
    uvloop.run(_run(site, report))


async def _run(site: Site, report: Report) -> None:
    rows = []
    async with jobs_of(site) as jobs, broker_of(site) as broker:
        for what, batch_ms in BATCH_MS.items():
            empty, full = await _by_turns(site, jobs, broker, batch_ms)
            ratio = full.percentile_ms(0.95) / empty.percentile_ms(0.95)
            if batch_ms:
                report.fact("lanes.p95_ratio", ratio)
            rows.append([f"batch lane empty, before jobs {what}", *_cells(empty), None, None])
            rows.append(
                [f"batch lane full of jobs {what}", *_cells(full), full.batch_jobs / full.seconds, ratio]
            )
    report.table(
        f"Interactive calls of {CALL_MS} ms by {CALLERS} callers",
        ["while", "calls", "p50 ms", "p95 ms", "batch jobs/s", "p95, full to empty"],
        rows,
    )


def _cells(turns: Turns) -> list[float]:
    return [len(turns.latencies_ms), turns.percentile_ms(0.5), turns.percentile_ms(0.95)]


async def _by_turns(site: Site, jobs: Jobs, broker: Broker, batch_ms: int) -> tuple[Turns, Turns]:
    requests, seconds = site.requests(), site.seconds / 2
    call = requests.chat(simulator={"delay_ms": CALL_MS})
    batch = requests.job(lane="batch", simulator={"delay_ms": batch_ms})
    empty, full = Turns(), Turns()
    await broker.pause(QUEUE)
    try:
        await _fill(batch, round(TURNS * (seconds + 1) * ENOUGH_PER_S[batch_ms]))
        await measure(call, connections=CALLERS, seconds=1)
        for _ in range(TURNS):
            await _turn(empty, jobs, call, seconds)
            await broker.resume(QUEUE)
            await _turn(full, jobs, call, seconds)
            await broker.pause(QUEUE)
            await measure(call, connections=CALLERS, seconds=1)  # what the worker held is done by then
        assert (await broker.stats(QUEUE, with_age=False)).ready, "the batch lane was not full to the end"
    finally:
        await broker.resume(QUEUE)
    await jobs.all_ended(limit_s=DRAIN_LIMIT_S)
    return empty, full


async def _fill(batch: Target, count: int) -> None:
    accepted = 0
    while accepted < count:
        accepted += (await measure(batch, connections=ACCEPT_CONNECTIONS, seconds=1)).requests


async def _turn(turns: Turns, jobs: Jobs, call: Target, seconds: float) -> None:
    began, done = time.monotonic(), await jobs.completed()
    turns.latencies_ms += (await measure(call, connections=CALLERS, seconds=seconds)).latencies_ms
    turns.batch_jobs += await jobs.completed() - done
    turns.seconds += time.monotonic() - began
