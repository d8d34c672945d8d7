"""The load generator counts what was answered as expected, and nothing else."""

import pytest

from tests.benchmarks.load import complete, measure, offer
from tests.unit.benchmarks.scripted import END, HEAD, answering, chunk

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"


@pytest.mark.parametrize("answer", [[PLAIN], [PLAIN[:-2], PLAIN[-2:]], [HEAD, chunk(b"body"), END]])
async def test_it_makes_as_many_requests_as_told(answer: list[bytes]) -> None:
    async with answering(*answer) as target:
        figures = await complete(target, connections=4, requests=50, limit_s=10)
    assert figures.requests == 50
    assert figures.latencies_ms == sorted(figures.latencies_ms)


async def test_another_status_than_the_expected_one_ends_the_run() -> None:
    async with answering(b"HTTP/1.1 429 Slow down\r\nContent-Length: 0\r\n\r\n") as target:
        with pytest.raises(AssertionError, match="429"):
            await measure(target, connections=1, seconds=1)


async def test_a_connection_that_the_server_closes_ends_the_run() -> None:
    async with answering(PLAIN, close=True) as target:
        with pytest.raises(ConnectionError):
            await complete(target, connections=1, requests=5, limit_s=10)


async def test_an_open_loop_offers_what_is_due_over_few_connections() -> None:
    async with answering(PLAIN) as target:
        figures = await offer(target, per_second=500, seconds=0.2, connections=2)
    assert figures.requests == 100
