"""One file for each thing that is measured; each takes a running fleet and fills a report."""

from collections.abc import Callable

from tests.benchmarks.report import Report
from tests.benchmarks.scenarios import (
    accept,
    drain,
    first_chunk,
    lanes,
    memory,
    profile,
    start,
    streams,
    sync,
)
from tests.benchmarks.site import Site

Scenario = Callable[[Site, Report], None]

SCENARIOS: dict[str, Scenario] = {
    "sync": sync.run,
    "first-chunk": first_chunk.run,
    "accept": accept.run,
    "drain": drain.run,
    "lanes": lanes.run,
    "memory": memory.run,
    "profile": profile.run,
    "start": start.run,
    "streams": streams.run,
}
"""In the order in which they run: memory after the load, and last what starts the fleet anew."""
