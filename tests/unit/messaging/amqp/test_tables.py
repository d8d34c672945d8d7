"""Field tables are read as they were written, whoever wrote them."""

import struct
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.amqp.errors import MalformedFrameError
from shared.messaging.amqp.tables import decode_table, encode_table, short_string

texts = st.text(st.characters(exclude_categories=("Cs",)))
keys = st.text(st.characters(codec="ascii"), max_size=60)
values = st.recursive(
    texts | st.booleans() | st.integers(-(2**63), 2**63 - 1),
    lambda inner: st.dictionaries(keys, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(keys, values, max_size=6), st.binary(max_size=5))
def test_a_table_comes_back_as_it_was_wherever_it_stands(table, before):
    data = before + encode_table(table)
    assert decode_table(data + b"after", len(before)) == (table, len(data))


@given(st.dictionaries(keys, values, min_size=1, max_size=4), st.data())
def test_a_table_that_is_cut_off_anywhere_is_malformed(table, data):
    encoded = encode_table(table)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(MalformedFrameError):
        decode_table(encoded[:cut], 0)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_table_or_malformed(junk):
    try:
        table, end = decode_table(junk, 0)
    except MalformedFrameError:
        return
    assert isinstance(table, dict)
    assert end <= len(junk)


@pytest.mark.parametrize(
    ("spelled", "value"),
    [
        (b"b\xff", -1),
        (b"B\xff", 255),
        (b"s\xff\xfe", -2),
        (b"u\xff\xfe", 65534),
        (b"I\xff\xff\xff\xff", -1),
        (b"i\xff\xff\xff\xff", 2**32 - 1),
        (b"l" + struct.pack(">q", -5), -5),
        (b"L" + struct.pack(">q", 5), 5),
        (b"f" + struct.pack(">f", 0.5), 0.5),
        (b"d" + struct.pack(">d", 0.1), 0.1),
        (b"D\x02\x00\x00\x00\x7b", Decimal("1.23")),
        (b"T" + struct.pack(">Q", 86400), 86400),
        (b"V", None),
        (b"x\x00\x00\x00\x02\xff\x00", b"\xff\x00"),
        (b"S\x00\x00\x00\x01\xff", "�"),
        (b"A\x00\x00\x00\x03Vt\x01", [None, True]),
        (b"F\x00\x00\x00\x04\x01kt\x00", {"k": False}),
    ],
)
def test_every_kind_of_value_that_others_may_send_is_read(spelled, value):
    body = b"\x01k" + spelled
    assert decode_table(struct.pack(">I", len(body)) + body, 0) == ({"k": value}, 4 + len(body))


def test_a_value_of_an_unknown_kind_is_malformed():
    with pytest.raises(MalformedFrameError):
        decode_table(b"\x00\x00\x00\x03\x01kZ", 0)


def test_tables_inside_each_other_without_end_are_malformed():
    data = b""
    for _ in range(5000):
        data = struct.pack(">I", len(data) + 3) + b"\x01kF" + data if data else b"\x00\x00\x00\x00"
    with pytest.raises(MalformedFrameError):
        decode_table(data, 0)


def test_a_key_over_255_bytes_is_refused():
    with pytest.raises(ValueError, match="256"):
        short_string("k" * 256)
