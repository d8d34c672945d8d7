"""Who is let in, and what the others are told."""

import pytest

from services.ingress.domain.admission import UNKNOWN_RETRY_AFTER_S, Admission, LaneLimit
from services.ingress.domain.outlook import STALE_S
from shared.contracts.backlog import BacklogEstimated, QueueEstimate
from shared.contracts.jobs import Lane, Operation
from shared.errors import QueueFullError

LIMITS = dict.fromkeys(Lane, LaneLimit(max_wait_s=10, max_jobs=1000))
PATIENT = 1e6


def estimated(
    waiting: int, *, rate: float | None = 20.0, arrived: int = 0, lane: Lane = Lane.STANDARD, term: str = "t"
) -> BacklogEstimated:
    estimate = QueueEstimate(
        operation=Operation.CHAT, lane=lane, waiting=waiting, running=4, arrived=arrived, per_second=rate
    )
    return BacklogEstimated(term=term, queues=(estimate,))


class Door:
    """Admission to one queue at chosen moments."""

    def __init__(self, *heard: tuple[float, BacklogEstimated]) -> None:
        self.admission = Admission(LIMITS, resume_share=0.9)
        for now, estimate in heard:
            self.admission.hear(estimate, now)

    def open(self, now: float, *, patience_s: float = PATIENT, jobs: int = 1) -> bool:
        try:
            self.admission.admit(Operation.CHAT, Lane.STANDARD, now=now, patience_s=patience_s, jobs=jobs)
        except QueueFullError:
            return False
        return True

    def refusal(self, now: float, **given: float) -> QueueFullError:
        with pytest.raises(QueueFullError) as refused:
            self.admission.admit(Operation.CHAT, Lane.STANDARD, now=now, **{"patience_s": PATIENT, **given})
        return refused.value


@pytest.mark.parametrize(
    "door",
    [
        Door(),
        Door((0.0, estimated(10**6, rate=None, lane=Lane.BATCH))),
        Door((0.0, estimated(900, rate=None))),
        Door((-STALE_S - 1, estimated(10**6))),
    ],
    ids=["nothing heard", "another queue", "no rate", "stale"],
)
def test_while_nothing_is_known_everybody_is_let_in(door):
    assert all(door.open(0.0) for _ in range(50))


def test_a_backlog_over_the_lanes_wait_is_refused_until_it_is_below_the_lower_mark():
    error = Door((0.0, estimated(260))).refusal(0.0)
    assert error.retry_after_s == pytest.approx((260 - 180) / 20)
    door = Door((0.0, estimated(260)))
    assert not door.open(0.0)
    assert not door.open(3.5), "below the limit of 200, above the 180 at which it opens again"
    assert door.open(4.1)


def test_the_answer_is_right_when_the_drain_rate_stays():
    door = Door((0.0, estimated(260)))
    for now in (0.0, 0.5, 1.0, 2.5, 3.9):
        assert now + door.refusal(now).retry_after_s == pytest.approx(4.0)
    assert door.open(4.0 + 1e-6)


def test_what_is_accepted_between_two_estimates_counts():
    door = Door((0.0, estimated(150)))
    assert [door.open(0.0) for _ in range(60)].count(True) == 51, "the one that fills it is let in"


def test_what_others_accept_is_taken_from_all_arrivals():
    door = Door((0.0, estimated(100)))
    assert door.open(0.5, jobs=30)
    door.admission.hear(estimated(190, arrived=110), 1.0)
    assert door.open(1.05)
    assert not door.open(1.2), "eighty a second come elsewhere, twenty are done: 190 + 0.2 * 60 > 200"


def test_a_new_leader_counts_anew_and_nothing_is_made_of_the_difference():
    door = Door((0.0, estimated(100, arrived=5)), (1.0, estimated(100, arrived=5000, term="next")))
    assert door.open(1.5)


def test_a_queue_that_is_not_mentioned_any_more_is_open():
    door = Door((0.0, estimated(260)), (1.0, estimated(260, lane=Lane.BATCH)))
    assert door.open(1.0)


def test_the_absolute_limit_holds_where_no_rate_is_known():
    error = Door((0.0, estimated(1001, rate=None))).refusal(0.0)
    assert error.retry_after_s == UNKNOWN_RETRY_AFTER_S
    assert Door((0.0, estimated(1001, rate=1000.0))).refusal(0.0).retry_after_s == pytest.approx(0.101)


def test_a_job_that_would_not_begin_before_its_deadline_is_refused_and_others_are_not():
    door = Door((0.0, estimated(100)))
    assert door.refusal(0.0, patience_s=3.0).retry_after_s == pytest.approx(2.0)
    assert door.open(0.0, patience_s=6.0)


def test_the_error_is_a_429_that_names_the_queue_as_the_reason():
    error = Door((0.0, estimated(260))).refusal(0.0)
    assert (error.http_status, error.code, error.kind) == (429, "queue_full", "rate_limit_error")
    assert "13 seconds" in error.message
