"""The simulator's rules."""

import asyncio
import base64
import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulator.domain.behaviour import Behaviour
from services.simulator.domain.calls import CallLedger
from services.simulator.domain.embedding import as_base64, embed
from services.simulator.domain.text import answer, count_tokens, tokens_of, words


@given(st.text())
def test_tokens_joined_give_the_text_back(text: str):
    assert "".join(tokens_of(text)) == text


@given(st.text())
def test_counting_tokens_agrees_with_splitting(text: str):
    assert count_tokens(text) == len(tokens_of(text))


def test_words_are_as_many_as_asked_for_and_always_the_same():
    assert len(words(45)) == 45
    assert words(45) == words(45)
    assert count_tokens("".join(words(45))) == 45
    assert words(0) == []


def test_an_answer_is_cut_at_its_limit_and_says_so():
    assert answer(words(5), limit=3) == (words(3), "length")
    assert answer(words(5), limit=5) == (words(5), "stop")
    assert answer(words(5), limit=None).finish_reason == "stop"


@given(st.text(), st.integers(1, 512))
def test_a_vector_has_length_one_and_the_size_asked_for(text: str, dimensions: int):
    vector = embed(text, dimensions)
    assert len(vector) == dimensions
    assert math.isclose(sum(value * value for value in vector), 1.0)


def test_texts_that_share_words_are_nearer_than_texts_that_do_not():
    def nearness(one: str, other: str) -> float:
        return sum(a * b for a, b in zip(embed(one, 256), embed(other, 256), strict=True))

    assert nearness("water falls down", "Falls water, down!") == pytest.approx(1.0)
    assert nearness("water falls down", "water falls up") > nearness("water falls down", "a red house")


def test_base64_holds_the_same_floats():
    vector = embed("water", 16)
    assert list(array("f", base64.b64decode(as_base64(vector)))) == pytest.approx(vector)


def test_a_request_sets_only_what_it_names():
    default = Behaviour(delay_ms=5, tokens=7)
    assert Behaviour(tokens=9).over(default) == Behaviour(delay_ms=5, tokens=9)


def test_a_fault_with_fail_times_ends_after_so_many_calls():
    behaviour = Behaviour(key="k", status=429, fail_times=2, tokens=3)
    assert [behaviour.for_call(number).status for number in (1, 2, 3)] == [429, 429, None]
    assert behaviour.for_call(3).tokens == 3


def test_fail_times_without_a_fault_means_500():
    assert Behaviour(fail_times=1).for_call(1).status == 500


def test_the_ledger_counts_calls_their_ends_and_what_is_under_way():
    ledger = CallLedger(10)
    with ledger.call("a") as number:
        assert number == 1
        assert ledger.of("a") == {"calls": 1, "active": 1, "aborted": 0}
    with pytest.raises(asyncio.CancelledError), ledger.call("a"):
        raise asyncio.CancelledError
    assert ledger.of("a") == {"calls": 2, "active": 0, "aborted": 1}
    assert ledger.of("b") == {"calls": 0, "active": 0, "aborted": 0}


def test_the_ledger_remembers_when_the_calls_of_a_key_began_and_ended():
    clock = iter((1.0, 2.0, 3.0, 4.0, 5.0))
    ledger = CallLedger(10, clock=lambda: next(clock))
    with ledger.call("a"), ledger.call(""):
        assert ledger.spans() == {"a": [(1.0, None)]}
    assert ledger.spans() == {"a": [(1.0, 4.0)]}


def test_the_ledger_forgets_the_oldest_key_beyond_its_bound():
    ledger = CallLedger(2)
    for key in ("a", "b", "c"):
        with ledger.call(key):
            pass
    assert ledger.of("a")["calls"] == 0
    assert ledger.total() == {"calls": 2, "active": 0, "aborted": 0, "keys": 2}
