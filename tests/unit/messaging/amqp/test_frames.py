"""A byte stream is cut into the same frames, in whatever pieces it arrives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.amqp.errors import MalformedFrameError
from shared.messaging.amqp.frames import (
    BODY,
    END,
    HEAD,
    HEARTBEAT_FRAME,
    LARGEST_FRAME,
    METHOD,
    PROTOCOL_HEADER,
    FrameSplitter,
)

frames = st.lists(
    st.tuples(st.sampled_from([1, 2, 3, 8]), st.integers(0, 2047), st.binary(max_size=60)), max_size=6
)


def stream(several) -> bytes:
    return b"".join(
        HEAD.pack(kind, channel, len(payload)) + payload + END for kind, channel, payload in several
    )


@given(frames, st.data())
def test_frames_split_anywhere_come_out_whole(several, data):
    whole = stream(several)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    splitter = FrameSplitter()
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert [frame for piece in pieces for frame in splitter.feed(piece)] == several


@given(frames)
def test_frames_that_arrive_byte_by_byte_come_out_whole(several):
    splitter = FrameSplitter()
    whole = stream(several)
    assert [frame for byte in whole for frame in splitter.feed(bytes((byte,)))] == several


def test_a_frame_as_large_as_agreed_is_taken_and_a_larger_one_refused_by_its_head_alone():
    splitter = FrameSplitter()
    payload = b"x" * (LARGEST_FRAME - 8)
    assert splitter.feed(stream([(BODY, 1, payload)])) == [(BODY, 1, payload)]
    with pytest.raises(MalformedFrameError, match="announces"):
        splitter.feed(HEAD.pack(BODY, 1, LARGEST_FRAME - 7) + b"x")


def test_a_frame_without_its_end_mark_is_malformed():
    with pytest.raises(MalformedFrameError, match="end mark"):
        FrameSplitter().feed(HEAD.pack(METHOD, 0, 2) + b"ab" + b"\x00")


def test_the_greeting_of_a_broker_of_another_version_is_malformed():
    with pytest.raises(MalformedFrameError):
        FrameSplitter().feed(PROTOCOL_HEADER)


def test_a_heartbeat_is_a_frame_without_payload():
    assert FrameSplitter().feed(HEARTBEAT_FRAME) == [(8, 0, b"")]
