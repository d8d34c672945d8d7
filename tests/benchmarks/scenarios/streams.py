"""Many streams at once, every token checked.

A worker runs 128 calls at a time as shipped; here it is told to run them all, so the fleet is started anew.
"""

import uvloop

from tests.benchmarks.load.figures import percentile
from tests.benchmarks.load.streams import Stream, read_streams
from tests.benchmarks.processes import per_request_us
from tests.benchmarks.report import Report, by_process
from tests.benchmarks.requests import numbered
from tests.benchmarks.site import Site

STREAMS = 500
TOKENS_PER_S = 20
LIMIT_FACTOR = 6
"""A fleet that is so many times slower than the provider is given up."""


def run(site: Site, report: Report) -> None:
    """Read streams that take two and a half times the length of a measurement at the provider's pace."""
    site.restart(
        {
            "PENSTOCK_WORKER__CONCURRENCY": str(STREAMS),
            "PENSTOCK_WORKER__LANES__INTERACTIVE__PREFETCH": str(STREAMS),
        }
    )
    tokens = round(2.5 * site.seconds * TOKENS_PER_S)
    requests, processes = site.requests(), site.processes(load=True)
    fields = {
        "stream": True,
        "messages": [{"role": "user", "content": numbered(tokens)}],
        "simulator": {"tokens_per_s": TOKENS_PER_S},
    }
    limit_s = LIMIT_FACTOR * tokens / TOKENS_PER_S
    for what, target in (
        ("direct", requests.direct(**fields)),
        ("through the fleet", requests.chat(**fields)),
    ):
        before = processes.cpu_s()
        streams = uvloop.run(read_streams(target, count=STREAMS, tokens=tokens, limit_s=limit_s))
        delivered = sum(stream.tokens for stream in streams)
        _report(report, what, streams, delivered)
        report.table(
            f"CPU of one token, {what}, microseconds",
            ["process", "µs"],
            by_process([per_request_us(before, processes.cpu_s(), delivered)]),
        )


def _report(report: Report, what: str, streams: list[Stream], delivered: int) -> None:
    gaps_ms = sorted(gap * 1000 for stream in streams for gap in stream.gaps_s)
    took_s = max(s.ended_at for s in streams) - min(s.sent_at for s in streams)
    failed = [stream for stream in streams if not stream.whole]
    if what != "direct":
        report.fact("streams.failed", len(failed))
        report.fact("streams.tokens_per_second", delivered / took_s)
    report.table(
        f"{len(streams)} streams at {TOKENS_PER_S} tokens/s, {what}",
        ["tokens", "of", "tokens/s", "seconds", "gap p50 ms", "gap p99 ms", "first event p99 ms", "failed"],
        [
            [
                delivered,
                sum(stream.expected for stream in streams),
                delivered / took_s,
                took_s,
                percentile(gaps_ms, 0.5),
                percentile(gaps_ms, 0.99),
                percentile(sorted((s.first_event_at - s.sent_at) * 1000 for s in streams), 0.99),
                len(failed),
            ]
        ],
        note=f"First failure: {failed[0].failure}" if failed else "",
    )
