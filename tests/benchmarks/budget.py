"""The performance budget, and what was measured against it."""

from dataclasses import dataclass

from tests.benchmarks.report import Cell, Report, markdown, spell


@dataclass(frozen=True)
class Budget:
    """One figure and its bound; ``at_least`` says on which side of it to be."""

    what: str
    fact: str
    bound: float
    at_least: bool = False

    def verdict(self, report: Report) -> Cell:
        measured = report.facts.get(self.fact)
        if measured is None:
            return None
        kept = measured >= self.bound if self.at_least else measured <= self.bound
        return spell(measured) + ("" if kept else ": not reached")


BUDGETS = (
    Budget("sync chat ≥ 1,000 requests/s, 64 connections", "sync.64.per_second", 1000, at_least=True),
    Budget("added latency ≤ 2.5 ms, p50, 1 connection", "sync.1.added_p50_ms", 2.5),
    Budget("first chunk ≤ 4 ms later, p50", "first_chunk.added_p50_ms", 4),
    Budget("500 streams at 20 tokens/s: failed or incomplete, 0", "streams.failed", 0),
    Budget("durable accept ≥ 1,500 jobs/s, jobs running beside", "accept.per_second", 1500, at_least=True),
    Budget("durable accept ≥ 1,500 jobs/s, queue paused", "accept.paused.per_second", 1500, at_least=True),
    Budget("durable accept ≤ 50 ms, p99, 1,500/s offered, jobs running beside", "accept.open_p99_ms", 50),
    Budget("durable accept ≤ 50 ms, p99, 1,500/s offered, queue paused", "accept.paused.open_p99_ms", 50),
    Budget(
        "interactive p95, batch lane full of calls as long ≤ 1.3 times that of an empty one",
        "lanes.p95_ratio",
        1.3,
    ),
    Budget("`make up` to ready ≤ 8 s, fresh folder", "start.first_s", 8),
    Budget("ingress ≤ 120 MB after the load", "memory.ingress_mb", 120),
    Budget("worker without LiteLLM ≤ 120 MB after the load", "memory.provider_worker_mb", 120),
    Budget("whole local fleet ≤ 700 MB after the load", "memory.fleet_mb", 700),
)


def against_the_budget(reports: list[Report]) -> str:
    """Spell the section's table; what was not measured is left out."""
    rows = [[budget.what, *(budget.verdict(report) for report in reports)] for budget in BUDGETS]
    rows = [row for row in rows if any(row[1:])]
    return markdown("Against the budget", ["budget", *(report.broker for report in reports)], rows)
