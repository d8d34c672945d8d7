"""How much later the first event of a stream comes than from the simulator itself."""

import time

import uvloop

from tests.benchmarks.load.figures import percentile
from tests.benchmarks.load.streams import read_stream
from tests.benchmarks.load.target import Target
from tests.benchmarks.report import Report
from tests.benchmarks.requests import numbered
from tests.benchmarks.site import Site

TOKENS = 3
LIMIT_S = 30.0


def run(site: Site, report: Report) -> None:
    """Read short streams, one after the other; the simulator sends each token at once."""
    requests = site.requests()
    fields = {"stream": True, "messages": [{"role": "user", "content": numbered(TOKENS)}]}
    uvloop.run(_times_ms(requests.chat(**fields), seconds=1.0))
    direct = uvloop.run(_times_ms(requests.direct(**fields), seconds=site.seconds / 2))
    through = uvloop.run(_times_ms(requests.chat(**fields), seconds=site.seconds))
    added = percentile(through, 0.5) - percentile(direct, 0.5)
    report.fact("first_chunk.added_p50_ms", added)
    report.table(
        "First chunk of a stream, 1 connection",
        ["what", "streams", "p50 ms", "p99 ms", "added p50 ms"],
        [
            ["direct", len(direct), percentile(direct, 0.5), percentile(direct, 0.99), 0.0],
            ["stream", len(through), percentile(through, 0.5), percentile(through, 0.99), added],
        ],
    )


async def _times_ms(target: Target, *, seconds: float) -> list[float]:
    """From the request to its first event, in ascending order."""
    times: list[float] = []
    ends_at = time.perf_counter() + seconds
    while time.perf_counter() < ends_at:
        stream = await read_stream(target, tokens=TOKENS, limit_s=LIMIT_S)
        assert stream.whole, stream.failure
        times.append((stream.first_event_at - stream.sent_at) * 1000)
    return sorted(times)
