from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.broker import Message
from shared.messaging.by_deadline import OLDEST_EVERY, ByDeadline

NOW = datetime.now(UTC)


@dataclass(eq=False)
class Due:
    name: str
    in_s: float | None = None
    published_at: datetime = field(default=NOW)

    @property
    def message(self) -> Message:
        expires_at = None if self.in_s is None else NOW + timedelta(seconds=self.in_s)
        return Message(type="test.v1", body=b"", expires_at=expires_at)


def filled(*deliveries: Due) -> ByDeadline:
    buffer = ByDeadline()
    for delivery in deliveries:
        buffer.add(delivery)
    return buffer


def taken(buffer: ByDeadline, count: int) -> list[str]:
    return [buffer.take().name for _ in range(count)]


def test_the_earliest_deadline_goes_first_and_none_at_all_goes_last():
    buffer = filled(Due("never"), Due("late", 60), Due("soon", 1), Due("middle", 30))
    assert taken(buffer, 4) == ["soon", "middle", "late", "never"]


def test_equal_deadlines_go_in_the_order_of_arrival():
    assert taken(filled(*(Due(str(number), 5) for number in range(5))), 5) == list("01234")


def test_a_far_deadline_delays_and_does_not_starve():
    buffer = filled(Due("patient", 86_400))
    names = []
    for number in range(3 * OLDEST_EVERY):
        buffer.add(Due(f"urgent-{number}", 1))
        names += taken(buffer, 1)
    assert "patient" in names[:OLDEST_EVERY]


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e6), st.just("take")), max_size=300))
def test_each_is_taken_once_and_as_many_wait_as_were_put_in(steps):
    buffer, put, got = ByDeadline(), [], []
    for number, step in enumerate(steps):
        if step == "take":
            if len(buffer):
                got.append(buffer.take().name)
        else:
            buffer.add(Due(str(number), step))
            put.append(str(number))
        assert len(buffer) == len(put) - len(got)
    rest = [delivery.name for delivery in buffer.clear()]
    assert sorted(got + rest) == sorted(put)
    assert not list(buffer)


def test_what_is_remembered_does_not_grow_with_what_passed_through():
    buffer = filled(*(Due(f"patient-{number}", 86_400 + number) for number in range(20)))
    for number in range(5000):
        buffer.add(Due(f"urgent-{number}", 1))
        buffer.add(Due(f"later-{number}", 90_000))
        taken(buffer, 2)
    assert len(buffer) == 20
    assert len(buffer._heap) + len(buffer._arrivals) < 300


def test_an_empty_one_has_nothing_to_take():
    with pytest.raises(IndexError):
        ByDeadline().take()
