import orjson
import pytest

from services.ingress.domain import sse

WORD = b'{"choices":[{"delta":{"content":"a \\"choices\\":[] \\"usage\\" b"}}],"usage":null}'
USAGE = b'{"choices":[],"usage":{"total_tokens":3}}'
FILTERS = b'{"choices":[],"prompt_filter_results":[1]}'


def test_each_line_becomes_an_event():
    assert sse.chunks(WORD + b"\n" + WORD, include_usage=True) == (b"data: " + WORD + b"\n\n") * 2


@pytest.mark.parametrize("usage", [USAGE, USAGE.replace(b"[],", b"[] , ").replace(b":[", b": [")])
def test_the_usage_goes_only_to_those_who_asked(usage: bytes):
    assert sse.chunks(WORD + b"\n" + usage, include_usage=False) == b"data: " + WORD + b"\n\n"
    assert usage in sse.chunks(WORD + b"\n" + usage, include_usage=True)
    assert sse.chunks(usage, include_usage=False) == b""


def test_a_chunk_without_choices_that_is_no_usage_stays():
    assert FILTERS in sse.chunks(FILTERS, include_usage=False)


def test_an_event_has_its_sequence_and_name_and_keeps_its_lines():
    framed = sse.event(sequence=4, name="job.delta", text="a\nb")
    assert framed == b"id: 4\nevent: job.delta\ndata: a\ndata: b\n\n"


def test_data_is_one_line():
    assert sse.data({"a": "x\ny"}) == b"data: " + orjson.dumps({"a": "x\ny"}) + b"\n\n"
