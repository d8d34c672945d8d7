"""From what workers and broker tell to what is to be expected."""

import pytest

from services.scheduler.domain.drain_rate import LEAST, DrainRate, Span
from services.scheduler.domain.queue_track import Look, QueueTrack
from services.scheduler.domain.worker_loads import GONE_AFTER_S, InHand, WorkerLoads
from shared.contracts.backlog import QueueLoad, WorkerLoad
from shared.contracts.jobs import Lane, Operation
from shared.messaging.broker import Depth, Message


def rate_of(*spans: Span) -> DrainRate:
    rate = DrainRate()
    for span in spans:
        rate.note(span)
    return rate


def second(at: float, *, done: int, slot_s: float, running: float = 8, busy: bool = True) -> Span:
    return Span(at=at, seconds=1.0, running=running, done=done, slot_s=done * slot_s, busy=busy)


def test_the_rate_is_filled_slots_over_the_time_in_a_slot():
    rate = rate_of(*(second(at, done=16, slot_s=0.5) for at in range(20)))
    assert rate.per_second() == pytest.approx(16)
    assert rate.slot_s() == pytest.approx(0.5)


def test_long_jobs_that_end_together_do_not_make_the_rate_jump():
    ends = [second(at, done=80 if at % 10 == 0 else 0, slot_s=10, running=80) for at in range(1, 26)]
    assert rate_of(*ends).per_second() == pytest.approx(8)


def test_nothing_is_known_of_too_few_jobs_and_of_a_queue_where_nothing_waited():
    assert rate_of(second(1, done=LEAST - 1, slot_s=0.1)).per_second() is None
    idle = rate_of(*(second(at, done=50, slot_s=0.1, busy=False) for at in range(20)))
    assert idle.per_second() is None
    assert idle.slot_s() == pytest.approx(0.1)


def test_a_new_pace_replaces_the_old_one_within_a_window():
    slow = [second(at, done=10, slot_s=0.8) for at in range(30)]
    fast = [second(30 + at, done=40, slot_s=0.2) for at in range(16)]
    assert rate_of(*slow, *fast).per_second() == pytest.approx(40)


def test_what_was_long_ago_is_forgotten():
    assert rate_of(second(0, done=50, slot_s=1), second(10_000, done=0, slot_s=1)).per_second() is None


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def told(worker: str, **load: float) -> Message:
    fields = {"waiting": 0, "running": 0, "done": 0, "slot_s": 0.0, **load}
    contract = WorkerLoad(worker=worker, queues=(QueueLoad.model_validate({"queue": "q", **fields}),))
    return Message(type=contract.message_type, body=contract.encode())


def test_loads_of_all_workers_are_added_up_and_counters_from_their_first_word_on():
    loads = WorkerLoads(Clock())
    loads(told("a", waiting=2, running=1, done=100, slot_s=50, oldest_at=20.0))
    loads(told("b", waiting=3, running=4, oldest_at=10.0))
    loads(told("a", waiting=1, running=1, done=104, slot_s=52, oldest_at=25.0))
    assert loads.of("q") == InHand(waiting=4, running=5, done=4, slot_s=2.0, oldest_at=10.0)
    assert loads.of("other") == InHand()


def test_a_worker_that_falls_silent_has_nothing_any_more_and_what_it_did_still_counts():
    clock = Clock()
    loads = WorkerLoads(clock)
    loads(told("a", running=1))
    loads(told("a", running=1, done=3, slot_s=1))
    clock.now += GONE_AFTER_S + 1
    loads(told("b", waiting=7))
    loads.forget_the_gone()
    assert loads.of("q") == InHand(waiting=7, done=3, slot_s=1.0)


@pytest.mark.parametrize("kind", ["other.v1", "worker.load.v1"])
def test_other_and_broken_broadcasts_change_nothing(kind):
    loads = WorkerLoads()
    loads(Message(type=kind, body=b"?"))
    assert loads.of("q") == InHand()


def look(at: float, *, ready: int, consumers: int = 1, age: float | None = None, **in_hand: float) -> Look:
    return Look(at, Depth(ready=ready, consumers=consumers, oldest_age_s=age), InHand(**in_hand), 0)


def test_waiting_is_what_is_on_the_broker_in_the_hands_of_workers_and_unpublished():
    track = QueueTrack(Operation.CHAT, Lane.BATCH)
    seen = Look(0.0, Depth(ready=5, consumers=2, oldest_age_s=None), InHand(waiting=3, running=4), 2)
    estimate = track.note(seen)
    assert (estimate.waiting, estimate.running, estimate.consumers) == (10, 4, 2)
    assert estimate.wait_s is None
    assert estimate.active


def test_arrivals_are_what_waits_and_runs_more_and_what_was_done():
    track = QueueTrack(Operation.CHAT, Lane.BATCH)
    track.note(look(0, ready=10, running=2, done=0))
    assert track.note(look(1, ready=15, running=3, done=4, slot_s=1.0)).arrived == 10
    assert track.note(look(2, ready=9, running=2, done=5, slot_s=2.0)).arrived == 10, "some were dropped"


def test_a_full_queue_has_a_wait_and_a_paused_one_has_none():
    track = QueueTrack(Operation.CHAT, Lane.STANDARD)
    for at in range(20):
        estimate = track.note(look(at, ready=400, running=8, done=16 * at, slot_s=8.0 * at))
    assert estimate.per_second == pytest.approx(16)
    assert estimate.wait_s == pytest.approx(25)
    paused = track.note(look(20, ready=400, consumers=0, running=0, done=320, slot_s=160.0))
    assert paused.wait_s is None


def test_a_queue_that_is_emptied_as_fast_as_it_fills_tells_nothing_of_what_could_be_done():
    track = QueueTrack(Operation.CHAT, Lane.STANDARD)
    for at in range(20):
        estimate = track.note(look(at, ready=3, running=5, done=500 * at, slot_s=5.0 * at))
    assert estimate.per_second is None


@pytest.mark.parametrize(
    ("seen", "age_s"),
    [
        (look(100, ready=5, age=4.0, waiting=1, oldest_at=93.0), 7.0),
        (look(100, ready=5, age=4.0), 4.0),
        (look(100, ready=5), 0.0),
        (look(100, ready=0), None),
    ],
)
def test_the_age_is_the_workers_word_then_the_brokers_then_the_historys(seen, age_s):
    track = QueueTrack(Operation.CHAT, Lane.STANDARD)
    assert track.note(seen).oldest_age_s == age_s


def test_a_clock_that_is_set_back_does_no_harm():
    track = QueueTrack(Operation.CHAT, Lane.STANDARD)
    track.note(look(100, ready=5))
    assert track.note(look(50, ready=9)).waiting == 9
    assert track.note(look(101, ready=9)).arrived == 4
