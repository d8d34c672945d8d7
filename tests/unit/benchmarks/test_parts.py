"""A sampled stack is counted to the part of the work that it belongs to."""

import pytest

from tests.benchmarks.parts import LOOP, part_of, samples

MAIN = "<module> (services/ingress/__main__.py:8)"
RUN = "Runner.run (asyncio/runners.py:118)"


@pytest.mark.parametrize(
    ("stack", "part"),
    [
        ([MAIN, RUN], LOOP),
        ([MAIN, RUN, "run_asgi (uvicorn/protocols/http/httptools_impl.py:422)"], "HTTP: parse, serve"),
        (
            [
                MAIN,
                "run_asgi (uvicorn/a.py:1)",
                "infer (services/ingress/api/inference.py:5)",
                "get (queues.py:2)",
            ],
            "routing, checks, answer",
        ),
        (
            [MAIN, "infer (services/ingress/api/inference.py:5)", "publish (shared/messaging/a.py:1)"],
            "broker: publish, settle",
        ),
        ([MAIN, RUN, "data_received (shared/messaging/a.py:1)"], "broker: receive, confirms"),
        ([MAIN, RUN, "_flush (shared/messaging/a.py:1)"], "broker: publish, settle"),
        (
            [
                MAIN,
                "call (services/provider_worker/consumers/job.py:1)",
                "post (aiohttp/client.py:9)",
                "x (yarl/a.py:1)",
            ],
            "provider call",
        ),
    ],
)
def test_the_innermost_frame_that_belongs_to_a_part_decides(stack: list[str], part: str) -> None:
    assert part_of(stack) == part


def test_samples_are_added_up_and_idle_threads_left_out() -> None:
    idle = "run (threading.py:9);_worker (concurrent/futures/thread.py:81)"
    assert samples(f"{MAIN};{RUN} 3\n{MAIN};{RUN} 4\n{idle} 500\n") == {LOOP: 7}
