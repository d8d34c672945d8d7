"""Accepting background jobs in closed and in open loop."""

from dataclasses import dataclass

from tests.benchmarks.load import Figures, Target, measure, offer
from tests.benchmarks.report import Report

CONNECTIONS = 64
OFFERED_PER_S = 1500.0


@dataclass(frozen=True)
class Accepted:
    """Both measurements."""

    closed: Figures
    """As fast as 64 callers get their answers, so a latency is mostly queueing."""
    opened: Figures
    """At the budget's pace; a latency counts from when its request was due."""

    @property
    def jobs(self) -> int:
        return self.closed.requests + self.opened.requests

    def tell(self, report: Report, fact: str, title: str) -> None:
        """Report the figures; the names of the facts begin with ``fact``."""
        report.fact(f"{fact}.per_second", self.closed.per_second)
        report.fact(f"{fact}.open_p99_ms", self.opened.percentile_ms(0.99))
        ways = (
            (f"closed loop, {CONNECTIONS} connections", self.closed),
            (f"open loop, {OFFERED_PER_S:,.0f}/s offered", self.opened),
        )
        report.table(
            title,
            ["how", "accepted/s", "p50 ms", "p99 ms"],
            [[how, f.per_second, f.percentile_ms(0.5), f.percentile_ms(0.99)] for how, f in ways],
        )


async def closed_loop(job: Target, seconds: float) -> Figures:
    return await measure(job, connections=CONNECTIONS, seconds=seconds)


async def open_loop(job: Target, seconds: float) -> Figures:
    return await offer(job, per_second=OFFERED_PER_S, seconds=seconds, connections=4 * CONNECTIONS)
