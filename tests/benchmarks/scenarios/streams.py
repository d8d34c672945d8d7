"""Many streams at once, every token checked."""

import uvloop

from tests.benchmarks.load.figures import percentile
from tests.benchmarks.load.streams import Stream, read_streams
from tests.benchmarks.processes import per_request_us
from tests.benchmarks.report import Cell, Report, by_process
from tests.benchmarks.requests import numbered
from tests.benchmarks.site import Site

STREAMS = 500
TOKENS_PER_S = 20
LIMIT_FACTOR = 6
"""A fleet that is so many times slower than the provider is given up."""


def run(site: Site, report: Report) -> None:
    """Read streams that take two and a half times the length of a measurement at the provider's pace."""
    tokens = round(2.5 * site.seconds * TOKENS_PER_S)
    requests, processes = site.requests(), site.processes(load=True)
    fields = {
        "stream": True,
        "messages": [{"role": "user", "content": numbered(tokens)}],
        "simulator": {"tokens_per_s": TOKENS_PER_S},
    }
    limit_s = LIMIT_FACTOR * tokens / TOKENS_PER_S
    rows: list[list[Cell]] = []
    for what, target in (("direct", requests.direct(**fields)), ("streams", requests.chat(**fields))):
        before = processes.cpu_s()
        streams = uvloop.run(read_streams(target, count=STREAMS, tokens=tokens, limit_s=limit_s))
        used = processes.cpu_s()
        rows.append(_row(what, streams))
    delivered = sum(stream.tokens for stream in streams)
    failures = [stream.failure for stream in streams if not stream.whole]
    report.fact("streams.failed", len(failures))
    report.table(
        f"{STREAMS} streams at {TOKENS_PER_S} tokens/s, every token checked",
        ["what", "tokens", "of", "tokens/s", "seconds", "gap p50 ms", "gap p99 ms", "failed"],
        rows,
        note=f"First failure: {failures[0]}" if failures else "",
    )
    report.table(
        "CPU of one streamed token, microseconds",
        ["process", "µs"],
        by_process([per_request_us(before, used, delivered)]),
    )


def _row(what: str, streams: list[Stream]) -> list[Cell]:
    delivered = sum(stream.tokens for stream in streams)
    gaps_ms = sorted(gap * 1000 for stream in streams for gap in stream.gaps_s)
    took_s = max(stream.ended_at for stream in streams) - min(stream.sent_at for stream in streams)
    return [
        what,
        delivered,
        sum(stream.expected for stream in streams),
        delivered / took_s,
        took_s,
        percentile(gaps_ms, 0.5),
        percentile(gaps_ms, 0.99),
        sum(not stream.whole for stream in streams),
    ]
