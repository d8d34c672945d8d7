import pytest

from services.ingress.domain.delta_order import DeltaOrder, StreamInterruptedError
from services.ingress.domain.reply import ReplyDelta, ReplyEnd
from shared.contracts.jobs import JobStatus

START = "0198c1f2-a5b4-7c3d-8e9f-001122334455"
OTHER = "0198c1f2-a5b4-7c3d-8e9f-001122334456"


def delta(sequence: int, start_id: str = START) -> ReplyDelta:
    return ReplyDelta(start_id=start_id, sequence=sequence, body=b"{}")


def end(deltas: int, start_id: str = START) -> ReplyEnd:
    return ReplyEnd(status=JobStatus.COMPLETED, start_id=start_id, deltas=deltas)


def test_deltas_in_order_are_taken_once():
    order = DeltaOrder()
    assert [order.is_new(delta(number)) for number in (0, 1, 1, 0, 2)] == [True, True, False, False, True]
    order.check_end(end(3))


def test_a_gap_is_never_skipped():
    order = DeltaOrder()
    order.is_new(delta(0))
    with pytest.raises(StreamInterruptedError):
        order.is_new(delta(2))
    with pytest.raises(StreamInterruptedError):
        DeltaOrder().is_new(delta(1))


def test_an_end_that_counts_more_than_came_is_a_gap():
    order = DeltaOrder()
    order.is_new(delta(0))
    with pytest.raises(StreamInterruptedError):
        order.check_end(end(2))


def test_the_answer_of_another_start_is_not_spliced_in():
    order = DeltaOrder()
    order.is_new(delta(0))
    with pytest.raises(StreamInterruptedError):
        order.is_new(delta(0, OTHER))
    with pytest.raises(StreamInterruptedError):
        order.check_end(end(1, OTHER))


def test_an_empty_stream_may_end():
    DeltaOrder().check_end(end(0))
