from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.weighted import WeightedBuffers
from tests.unit.messaging.fakes import FakeDelivery

WEIGHTS = {"interactive": 16, "standard": 4, "batch": 1}


def fill(buffers: WeightedBuffers, queue: str, count: int) -> None:
    for number in range(count):
        buffers.add(queue, FakeDelivery(f"{queue}-{number}", queue=queue))


def taken(buffers: WeightedBuffers, count: int) -> list[str]:
    deliveries = [buffers.take() for _ in range(count)]
    return [delivery.queue for delivery in deliveries if delivery is not None]


def test_queues_with_work_are_taken_in_proportion_to_their_weights():
    buffers = WeightedBuffers(WEIGHTS)
    for queue in WEIGHTS:
        fill(buffers, queue, 200)
    assert Counter(taken(buffers, 105)) == {"interactive": 80, "standard": 20, "batch": 5}


def test_what_arrives_at_an_idle_heavy_queue_is_next_behind_a_saturated_light_one():
    buffers = WeightedBuffers(WEIGHTS)
    fill(buffers, "batch", 500)
    taken(buffers, 300)
    fill(buffers, "interactive", 3)
    assert taken(buffers, 3) == ["interactive"] * 3


def test_a_queue_that_was_idle_for_long_does_not_starve_the_others_afterwards():
    buffers = WeightedBuffers({"a": 1, "b": 1})
    fill(buffers, "a", 200)
    taken(buffers, 100)
    fill(buffers, "b", 100)
    assert Counter(taken(buffers, 20)) == {"a": 10, "b": 10}


def test_one_queue_keeps_its_order():
    buffers = WeightedBuffers({"a": 3})
    fill(buffers, "a", 5)
    assert [buffers.take().message.body for _ in range(5)] == [f"a-{n}".encode() for n in range(5)]
    assert buffers.take() is None


def test_a_queue_that_is_passed_over_keeps_what_it_has_and_earns_no_claim():
    buffers = WeightedBuffers(WEIGHTS)
    fill(buffers, "batch", 10)
    fill(buffers, "interactive", 40)
    assert [buffers.take(passing_over={"batch"}).queue for _ in range(20)] == ["interactive"] * 20
    assert "interactive" in taken(buffers, 2)
    assert buffers.take(passing_over={"batch", "interactive"}) is None


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 50), min_size=1))
def test_no_queue_with_work_waits_longer_than_its_share(weights):
    buffers = WeightedBuffers(weights)
    rounds = sum(weights.values())
    for queue in weights:
        fill(buffers, queue, 2 * rounds)
    seen = Counter(taken(buffers, rounds))
    assert all(abs(seen[queue] - weight) <= 1 for queue, weight in weights.items())


@pytest.mark.parametrize("weight", [0, -1, 1 << 30])
def test_a_weight_that_cannot_be_is_refused(weight):
    with pytest.raises(ValueError, match="weights must be between"):
        WeightedBuffers({"a": weight})
