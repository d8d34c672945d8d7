import pytest

from shared.messaging.arrivals import KEPT, ArrivalHistory


def line(*looks: tuple[float, float]) -> ArrivalHistory:
    history = ArrivalHistory()
    for at, count in looks:
        history.note(at, count)
    return history


def test_arrivals_since_a_moment_are_read_off_the_line_between_two_looks():
    history = line((100, 0), (101, 10), (102, 40))
    assert history.since(101.5) == pytest.approx(15)
    assert history.since(102) == 0
    assert history.since(200) == 0
    assert history.since(50) == 40, "what came before the first look is not known"


def test_the_age_of_what_waits_is_when_the_first_of_it_came():
    history = line((100, 0), (101, 10), (102, 40))
    assert history.age_of(15, now=103) == pytest.approx(1.5)
    assert history.age_of(1000, now=103) == 3, "at least since the first look"
    assert ArrivalHistory().age_of(5, now=1) == 0


def test_a_long_history_takes_no_more_room_and_stays_right():
    history = ArrivalHistory()
    for second in range(100_000):
        history.note(second, 3 * second)
    assert len(history._moments) <= KEPT
    for age in (0.5, 10, 1000, 60_000):
        assert history.since(99_999 - age) == pytest.approx(3 * age, rel=0.01)
