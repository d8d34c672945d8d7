from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.provider_worker.adapters.sse import EventTooLargeError, SseParser

STREAM = (
    b"\xef\xbb\xbf: a comment\r\n"
    b'data: {"a": 1}\r\n\r\n'
    b"event: message\nid: 7\nretry: 10\ndata:no space\n\n"
    b"data: first\ndata: second\n\n"
    b"data\n\n"
    b"unknown: x\n\n"
    b"\n\n"
    b"data: carriage\r\r"
    b"data: [DONE]\n\n"
)
EVENTS = [b'{"a": 1}', b"no space", b"first\nsecond", b"", b"carriage", b"[DONE]"]


@given(st.lists(st.integers(0, len(STREAM))))
def test_events_are_the_same_wherever_the_stream_is_split(cuts):
    edges = [0, *sorted(cuts), len(STREAM)]
    parser = SseParser(1000)
    events = []
    for start, end in pairwise(edges):
        events += parser.feed(STREAM[start:end])
    assert events + parser.finish() == EVENTS


def test_one_byte_at_a_time_gives_the_same_events():
    parser = SseParser(1000)
    events = [event for byte in STREAM for event in parser.feed(bytes([byte]))]
    assert events == EVENTS


def test_the_last_event_counts_without_its_empty_line():
    parser = SseParser(1000)
    assert parser.feed(b"data: x\n\ndata: [DONE]") == [b"x"]
    assert parser.finish() == [b"[DONE]"]


@pytest.mark.parametrize("data", [b"data: " + b"x" * 200, b"data: x\n" * 100])
def test_an_event_is_bounded(data):
    parser = SseParser(100)
    with pytest.raises(EventTooLargeError):
        parser.feed(data)
