import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingress.domain.json_text import parse_object, raw_member
from shared.errors import InvalidRequestError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
).filter(lambda value: "\\ud" not in json.dumps(value).lower())


@given(st.dictionaries(st.text(), VALUES), VALUES, st.sampled_from([None, 1]))
def test_a_member_is_cut_out_byte_for_byte(others: dict[str, object], wanted: object, indent: int | None):
    text = json.dumps(wanted, indent=indent)
    rest = [f"{json.dumps(name)} : {json.dumps(value)}" for name, value in others.items() if name != "input"]
    for at in (0, len(rest)):
        members = [*rest[:at], f'"input":\t{text}', *rest[at:]]
        body = ("{\n" + " ,\r\n".join(members) + " }").encode()
        if "\\ud" not in body.decode().lower():
            assert raw_member(body, "input") == text.encode()


def test_the_last_of_two_members_of_a_name_counts_as_it_does_when_parsing():
    body = b'{"input":{"a":1},"input":{"a":2}}'
    assert parse_object(body) == {"input": {"a": 2}}
    assert raw_member(body, "input") == b'{"a":2}'


def test_an_escaped_name_is_the_same_name():
    assert raw_member(rb'{"\u0069nput": 1.50}', "input") == b"1.50"


def test_depth_that_one_parser_takes_and_the_other_does_not_is_an_error_of_the_caller():
    body = b'{"input":' + b"[" * 1000 + b"]" * 1000 + b"}"
    parse_object(body)
    with pytest.raises(InvalidRequestError) as raised:
        raw_member(body, "input")
    assert raised.value.param == "input"


def test_the_message_says_where_and_repeats_nothing_of_the_body():
    with pytest.raises(InvalidRequestError, match="line 1, column") as raised:
        parse_object(b'{"secret words" "more"}')
    assert "secret" not in raised.value.message
