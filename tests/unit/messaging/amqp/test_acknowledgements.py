"""Acknowledgements are combined, and never cover what is not settled."""

from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.amqp.acknowledgements import Acknowledgements
from shared.messaging.amqp.methods import BASIC_ACK
from tests.unit.messaging.amqp.wire import Wire


class Broker:
    """What a broker does with acknowledgements; an unknown tag closes a real one's channel."""

    def __init__(self, count: int) -> None:
        self.outstanding = set(range(1, count + 1))

    def take(self, frame: dict) -> None:
        tag = frame["delivery_tag"]
        assert tag in self.outstanding
        self.outstanding -= {
            one for one in self.outstanding if one == tag or (frame["multiple"] and one < tag)
        }


async def acknowledged(*tags: int) -> list[tuple[int, bool]]:
    wire = Wire()
    acknowledgements = Acknowledgements(1, wire.writer)
    for tag in tags:
        acknowledgements.add(tag)
    wire.writer.flush()
    return [(frame["delivery_tag"], frame["multiple"]) for frame in wire.methods(BASIC_ACK)]


async def test_tags_that_follow_each_other_become_one_frame():
    assert await acknowledged(3, 1, 2) == [(3, True)]


async def test_a_lone_tag_is_acknowledged_alone():
    assert await acknowledged(1) == [(1, False)]


async def test_what_is_beyond_a_delivery_that_is_held_is_acknowledged_one_by_one():
    assert await acknowledged(1, 2, 4, 5) == [(4, False), (5, False), (2, True)]


@given(st.integers(1, 30), st.data())
async def test_the_broker_is_told_of_everything_that_is_settled_and_nothing_else(count, data):
    order = data.draw(st.permutations(range(1, count + 1)))
    requeued = data.draw(st.sets(st.sampled_from(order)))
    wire, broker = Wire(), Broker(count)
    acknowledgements = Acknowledgements(1, wire.writer)
    settled: set[int] = set()
    for tag in order:
        settled.add(tag)
        if tag in requeued:
            broker.outstanding.discard(tag)
            acknowledgements.skip(tag)
        else:
            acknowledgements.add(tag)
        if data.draw(st.booleans()):
            wire.writer.flush()
            for frame in wire.methods(BASIC_ACK):
                broker.take(frame)
            assert broker.outstanding == set(range(1, count + 1)) - settled
    wire.writer.flush()
    for frame in wire.methods(BASIC_ACK):
        broker.take(frame)
    assert not broker.outstanding
