"""Messages are put together again from their frames, however many they take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.amqp.content import content_frames
from shared.messaging.amqp.errors import MalformedFrameError
from shared.messaging.amqp.frames import BODY, HEADER, METHOD, FrameSplitter, method_frame
from shared.messaging.amqp.incoming import Incoming
from shared.messaging.amqp.methods import BASIC_DELIVER, BASIC_GET_OK, encode
from shared.messaging.amqp.properties import Properties, decode_properties, encode_properties

SMALLEST = 4096
ASCII = st.text(st.characters(codec="ascii"), max_size=60)
SHORT = st.none() | ASCII
properties = st.builds(
    Properties,
    type=SHORT,
    headers=st.none() | st.dictionaries(ASCII, st.text(max_size=20), min_size=1),
    correlation_id=SHORT,
    reply_to=SHORT,
    expiration=SHORT,
    persistent=st.booleans(),
)
DELIVER = method_frame(
    3, BASIC_DELIVER, consumer_tag="c1", delivery_tag=2**40, redelivered=True, exchange="e", routing_key="r"
)


@given(properties, st.binary(max_size=8))
def test_properties_come_back_as_they_were(sent, before):
    assert decode_properties(before + encode_properties(sent), len(before)) == sent


@given(properties, st.data())
def test_properties_that_are_cut_off_anywhere_are_malformed(sent, data):
    encoded = encode_properties(sent, b"\x0217")
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(MalformedFrameError):
        decode_properties(encoded[:cut], 0)


def test_properties_that_this_fleet_does_not_use_are_skipped():
    flags = 0b1111_1111_1111_1100
    spelled = (
        flags.to_bytes(2, "big")
        + b"\x04text\x04gzip\x00\x00\x00\x00\x02\x05\x01c\x01r\x0260\x011"
        + b"\x00" * 8
        + b"\x01t\x01u\x01a\x01i"
    )
    read = decode_properties(spelled, 0)
    assert read == Properties(
        type="t",
        headers={},
        correlation_id="c",
        reply_to="r",
        expiration="60",
        message_id="1",
        persistent=True,
    )


def test_more_flags_than_the_protocol_has_are_malformed():
    with pytest.raises(MalformedFrameError):
        decode_properties(b"\x00\x01\x00\x00", 0)


@given(st.binary(max_size=3 * SMALLEST), properties)
def test_a_message_comes_back_whole_and_no_frame_is_over_the_limit(body, sent):
    pieces = content_frames(3, DELIVER, encode_properties(sent), body, largest=SMALLEST)
    splitter = FrameSplitter()
    splitter.largest = SMALLEST
    (first, *others) = splitter.feed(b"".join(pieces))
    assert first[:2] == (METHOD, 3)
    message = Incoming(BASIC_DELIVER.number, first[2])
    complete = False
    for kind, _, payload in others:
        assert not complete
        complete = message.header(payload) if kind == HEADER else message.piece(payload)
    assert complete
    assert (message.body, message.properties) == (body, sent)
    assert (message.consumer_tag, message.delivery_tag, message.redelivered) == (b"c1", 2**40, True)


def header(size: int) -> bytes:
    pieces = content_frames(1, b"", encode_properties(Properties()), b"x" * size, largest=SMALLEST)
    frames = FrameSplitter().feed(b"".join(pieces))
    return next(payload for kind, _, payload in frames if kind == HEADER)


def test_more_of_a_body_than_announced_is_malformed():
    message = Incoming(BASIC_GET_OK.number, encode(BASIC_GET_OK, delivery_tag=1))
    message.header(header(3))
    assert not message.piece(b"ab")
    with pytest.raises(MalformedFrameError):
        message.piece(b"cd")


@pytest.mark.parametrize("kind", [HEADER, BODY])
def test_a_second_header_or_a_body_before_the_header_is_malformed(kind):
    message = Incoming(BASIC_GET_OK.number, encode(BASIC_GET_OK, delivery_tag=1))
    if kind == HEADER:
        message.header(header(3))
    with pytest.raises(MalformedFrameError):
        message.header(header(3)) if kind == HEADER else message.piece(b"abc")


@pytest.mark.parametrize("cut", [4, 6, 10])
def test_a_delivery_without_its_arguments_is_malformed(cut):
    with pytest.raises(MalformedFrameError):
        Incoming(BASIC_DELIVER.number, encode(BASIC_DELIVER, consumer_tag="c1", delivery_tag=1)[:cut])
