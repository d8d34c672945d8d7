"""A batch of the OpenAI API: its input uploaded, run, and its output fetched."""

import time

import openai

from tests.benchmarks.processes import per_request_us
from tests.benchmarks.report import Report, by_process
from tests.benchmarks.requests import CHAT
from tests.benchmarks.site import Site
from tests.support.batches import ENDED, jsonl, line, submit

REQUESTS_A_SECOND = 1250
"""Of the measurement: ten thousand requests in the usual eight seconds."""
LIMIT_S = 600.0
POLL_S = 0.2


def run(site: Site, report: Report) -> None:
    """Time a batch from its creation until it is completed, and say whose CPU it took."""
    requests = round(site.seconds * REQUESTS_A_SECOND)
    content = jsonl(line(f"r-{n}", **CHAT) for n in range(requests))
    processes = site.processes()
    with openai.OpenAI(base_url=f"{site.fleet.url}/v1", api_key=site.fleet.api_key, max_retries=0) as client:
        before, began = processes.cpu_s(), time.monotonic()
        batch = submit(client, content)
        created = time.monotonic()
        while batch.status not in ENDED:
            assert time.monotonic() - created < LIMIT_S, f"still {batch.status}"
            time.sleep(POLL_S)
            batch = client.batches.retrieve(batch.id)
        took_s = time.monotonic() - created
        used = per_request_us(before, processes.cpu_s(), requests)
        assert batch.request_counts is not None
        assert batch.request_counts.completed == requests, batch.request_counts
        assert batch.output_file_id is not None
        fetching = time.monotonic()
        output = client.files.content(batch.output_file_id).content
        fetch_s = time.monotonic() - fetching
    report.fact("batch.per_second", requests / took_s)
    report.table(
        "A batch, from its creation to its end",
        ["requests", "requests/s", "seconds", "input MB", "uploaded in s", "output MB", "fetched in s"],
        [
            [
                requests,
                requests / took_s,
                took_s,
                len(content) / 1e6,
                created - began,
                len(output) / 1e6,
                fetch_s,
            ]
        ],
    )
    report.table("CPU of one request of the batch, microseconds", ["process", "µs"], by_process([used]))
