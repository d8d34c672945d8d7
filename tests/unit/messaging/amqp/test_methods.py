"""Methods are read as they were written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.amqp import methods
from shared.messaging.amqp.errors import MalformedFrameError
from shared.messaging.amqp.methods import Method, decode, encode, number_of

ALL = [value for value in vars(methods).values() if isinstance(value, Method)]
ASCII = st.text(st.characters(codec="ascii"), max_size=40)
VALUES = {
    "?": st.booleans(),
    "B": st.integers(0, 2**8 - 1),
    "H": st.integers(0, 2**16 - 1),
    "I": st.integers(0, 2**32 - 1),
    "Q": st.integers(0, 2**64 - 1),
    "s": ASCII,
    "S": st.binary(max_size=300),
    "t": st.dictionaries(ASCII, st.booleans() | ASCII, max_size=3),
}


def arguments_of(method: Method):
    return st.fixed_dictionaries({name: VALUES[kind] for name, kind in method.arguments})


CALLS = st.sampled_from(ALL).flatmap(lambda method: st.tuples(st.just(method), arguments_of(method)))


@given(CALLS)
def test_a_method_comes_back_with_its_arguments(drawn):
    method, arguments = drawn
    payload = encode(method, **arguments)
    assert number_of(payload) == method.number
    assert decode(method, payload) == arguments


@given(
    st.sampled_from(ALL).flatmap(lambda method: st.tuples(st.just(method), arguments_of(method))), st.data()
)
def test_a_method_that_is_cut_off_anywhere_is_malformed(drawn, data):
    method, arguments = drawn
    payload = encode(method, **arguments)
    if len(payload) == 4:
        return
    cut = data.draw(st.integers(4, len(payload) - 1))
    with pytest.raises(MalformedFrameError):
        decode(method, payload[:cut])


def test_no_two_methods_have_the_same_number():
    assert len({method.number for method in ALL}) == len(ALL)


def test_what_is_not_given_is_zero_false_or_empty():
    payload = encode(methods.QUEUE_DECLARE, queue="q", durable=True)
    assert payload == b"\x00\x32\x00\x0a\x00\x00\x01q\x02\x00\x00\x00\x00"


def test_an_argument_that_a_method_does_not_have_is_refused():
    with pytest.raises(TypeError, match="durabel"):
        encode(methods.QUEUE_DECLARE, durabel=True)


def test_a_frame_too_short_for_a_method_is_malformed():
    with pytest.raises(MalformedFrameError):
        number_of(b"\x00\x0a")
