from datetime import UTC, datetime, timedelta

from shared.messaging.dead_letters import DeadLetterChoice
from shared.messaging.traffic import WINDOW_S, Traffic


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_rate_is_of_the_last_seconds_only():
    clock = Clock()
    traffic = Traffic(clock)
    assert traffic.rates() == {}
    for _ in range(100):
        traffic.count("a")
        clock.now += 0.1
    assert 9.5 < traffic.rates()["a"] < 10.5
    clock.now += WINDOW_S / 2
    traffic.count("b")
    assert 4 < traffic.rates()["a"] < 6
    clock.now += WINDOW_S
    assert traffic.rates() == {}


def test_a_young_process_tells_the_rate_of_its_life():
    clock = Clock()
    traffic = Traffic(clock)
    for _ in range(4):
        traffic.count("a")
    assert traffic.rates() == {"a": 4}
    clock.now += 2
    assert traffic.rates() == {"a": 2}


def test_only_the_seconds_of_the_window_are_kept():
    clock = Clock()
    traffic = Traffic(clock)
    for _ in range(1000):
        traffic.count("a")
        clock.now += 0.5
    assert len(traffic._seconds) <= WINDOW_S


def test_a_choice_takes_what_has_everything_that_is_said():
    died_at = datetime.now(UTC)
    assert DeadLetterChoice().takes("1", "", died_at)
    assert not DeadLetterChoice.of([]).takes("1", "", died_at)
    late = died_at + timedelta(seconds=1)
    both = DeadLetterChoice(reason="Given UP", died_before=late)
    assert both.takes("1", "job given up after", died_at)
    assert not both.takes("1", "job given up after", late)
    assert not both.takes("1", "other", died_at)
