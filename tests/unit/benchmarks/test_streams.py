"""The reader of streams tells of every token that is not as it should be."""

import pytest

from tests.benchmarks.load.streams import read_stream
from tests.unit.benchmarks.scripted import DONE, END, HEAD, answering, token

THREE = [token(1), token(2), token(3)]


async def test_a_stream_that_came_whole_has_no_failure() -> None:
    async with answering(HEAD, *THREE, DONE, END) as target:
        stream = await read_stream(target, tokens=3, limit_s=10)
    assert stream.whole
    assert len(stream.gaps_s) == 2


@pytest.mark.parametrize("size", [1, 7])
async def test_events_may_arrive_in_pieces_of_any_size(size: int) -> None:
    answer = HEAD + b"".join(THREE) + DONE + END
    async with answering(*(answer[at : at + size] for at in range(0, len(answer), size))) as target:
        assert (await read_stream(target, tokens=3, limit_s=10)).whole


@pytest.mark.parametrize(
    ("events", "failure"),
    [
        ([token(1), token(3), DONE], "after token 1 came 3"),
        ([token(1), token(1), DONE], "after token 1 came 1"),
        ([token(2), token(1), DONE], "after token 0 came 2"),
        ([*THREE], "ended without [DONE]"),
    ],
)
async def test_a_token_lost_doubled_or_out_of_order_is_a_failure(events: list[bytes], failure: str) -> None:
    async with answering(HEAD, *events, END) as target:
        stream = await read_stream(target, tokens=3, limit_s=10)
    assert stream.failure == failure
    assert not stream.whole


async def test_a_stream_that_ends_early_in_good_order_is_not_whole() -> None:
    async with answering(HEAD, token(1), DONE, END) as target:
        stream = await read_stream(target, tokens=3, limit_s=10)
    assert stream.failure == ""
    assert not stream.whole


async def test_a_broken_connection_and_an_error_answer_are_failures() -> None:
    async with answering(HEAD, token(1), close=True) as target:
        assert (await read_stream(target, tokens=3, limit_s=10)).failure == "closed before [DONE]"
    async with answering(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n") as target:
        assert "503" in (await read_stream(target, tokens=3, limit_s=10)).failure


async def test_a_stream_that_never_ends_is_given_up() -> None:
    async with answering(HEAD, token(1)) as target:
        stream = await read_stream(target, tokens=3, limit_s=0.2)
    assert stream.failure == "not ended after 0.2 s, 1 tokens came"
