import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.provider_worker.domain.outgoing import for_answer, for_stream, wants_usage
from services.provider_worker.domain.request_body import with_members
from shared.errors import InvalidRequestError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(
    st.dictionaries(st.text(), JSON),
    st.sampled_from([None, 0, 3]),
    st.booleans(),
    st.sampled_from(["model", "", "ключ"]),
)
def test_only_the_named_member_changes(body, indent, ascii_only, name):
    text = json.dumps(body, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert json.loads(with_members(text, {name: b'"new"'})) == body | {name: "new"}


def test_every_other_byte_stays():
    body = (
        b'{ "n" : 1e400, "model":"gpt" , "big": 123456789012345678901234567890, "s":"\\u00e9\\"model\\":1"}'
    )
    assert for_answer(body, "other") == body.replace(b'"gpt"', b'"other"')


def test_a_name_spelt_with_escapes_is_found():
    assert for_answer(rb'{"mo\u0064el": "a"}', "b") == rb'{"mo\u0064el": "b"}'


def test_every_duplicate_is_replaced():
    assert for_answer(b'{"model":"a","model":{"x":["}"]}}', "b") == b'{"model":"b","model":"b"}'


@pytest.mark.parametrize("body", [b"{}", b" { } ", b'{"x":1}'])
def test_a_missing_member_is_added(body):
    assert json.loads(for_answer(body, "b")) == json.loads(body) | {"model": "b"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'"x"',
        b"{",
        b'{"a"',
        b'{"a":',
        b'{"a":}',
        b'{"a":1',
        b'{"a":[1}',
        b'{"a":1 "b"}',
        b"{a:1}",
    ],
)
def test_what_is_no_object_is_refused(body):
    with pytest.raises(InvalidRequestError):
        for_answer(body, "b")


def test_brackets_inside_strings_do_not_count():
    body = json.dumps({"messages": [{"content": '}]"\\{["'}], "model": "a"}).encode()
    assert json.loads(for_answer(body, "b"))["messages"] == [{"content": '}]"\\{["'}]


def test_deep_nesting_is_no_recursion():
    body = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert for_answer(body, "b").endswith(body[1:])


def test_a_stream_asks_for_its_usage_and_keeps_other_options():
    body = b'{"stream_options":{"include_obfuscation":false},"stream":false}'
    assert json.loads(for_stream(body, "b")) == {
        "model": "b",
        "stream": True,
        "stream_options": {"include_obfuscation": False, "include_usage": True},
    }


@pytest.mark.parametrize("options", [b"null", b'{"include_usage":false}'])
def test_a_caller_who_wants_no_usage_is_still_metered(options):
    body = b'{"stream_options":' + options + b"}"
    assert json.loads(for_stream(body, "b"))["stream_options"] == {"include_usage": True}
    assert not wants_usage(body)


def test_a_whole_answer_is_not_asked_for_as_a_stream():
    assert json.loads(for_answer(b'{"stream":true}', "b")) == {"stream": False, "model": "b"}


def test_who_asks_for_usage_gets_it():
    assert wants_usage(b'{"stream_options":{"include_usage":true}}')
    assert not wants_usage(b'{"stream_options":[]}')
    assert not wants_usage(b"{}")


@pytest.mark.parametrize("outgoing", [for_answer, for_stream])
def test_the_batch_tier_is_a_lane_of_ours_and_no_providers_word(outgoing):
    body = b'{"model":"a","service_tier" : "batch","messages":["batch"]}'
    sent = json.loads(outgoing(body, "b"))
    assert (sent["service_tier"], sent["messages"]) == ("auto", ["batch"])
    for tier in (b'"flex"', b"null"):
        assert b'"service_tier":' + tier in outgoing(b'{"model":"batch","service_tier":%s}' % tier, "b")
