from itertools import accumulate

import pytest

from shared.messaging.arrivals import ArrivalHistory


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


def test_a_long_history_takes_little_room_and_knows_every_moment_to_a_hundredth_of_its_age():
    history = ArrivalHistory()
    bursts = [7 if second // 600 % 2 else 0 for second in range(100_000)]
    for second, count in enumerate(accumulate(bursts)):
        history.note(second, count)
    assert len(history._moments) <= 1500
    now = len(bursts) - 1
    for age in (1, 10, 100, 1000, 5000, 20_000, 60_000, 99_000):
        about = [sum(bursts[now - round(age * factor) :]) for factor in (0.99, 1.01)]
        assert about[0] - 7 <= history.since(now - age) <= about[1] + 7
