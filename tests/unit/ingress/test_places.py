"""Positions without counting."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from services.ingress.domain.job import Job
from services.ingress.domain.outlook import STALE_S
from services.ingress.domain.places import Places
from shared.contracts.backlog import BacklogEstimated, QueueEstimate
from shared.contracts.jobs import JobStatus, Lane, Operation

BEGAN = 1_800_000_000.0


def queued(at: float, **fields: object) -> Job:
    moment = datetime.fromtimestamp(BEGAN + at, UTC)
    job = Job(
        id=uuid4(),
        status=JobStatus.QUEUED,
        operation="chat",
        lane="standard",
        model="m",
        background=True,
        stream=False,
        metadata={},
        failure=None,
        created_at=moment,
        deadline_at=moment,
        published_at=moment,
    )
    return replace(job, **fields)


def heard(*looks: tuple[float, int, int], rate: float | None = 10.0, term: str = "t") -> Places:
    places = Places()
    for at, waiting, arrived in looks:
        hear(places, at, waiting, arrived, rate=rate, term=term)
    return places


def hear(
    places: Places, at: float, waiting: int, arrived: int, *, rate: float | None = 10.0, term: str = "t"
) -> None:
    estimate = QueueEstimate(
        operation=Operation.CHAT,
        lane=Lane.STANDARD,
        waiting=waiting,
        running=1,
        arrived=arrived,
        per_second=rate,
    )
    places.hear(BacklogEstimated(term=term, queues=(estimate,)), BEGAN + at)


def test_a_place_is_what_waits_less_what_came_later():
    places = heard((0, 100, 0), (1, 130, 40), (2, 160, 80))
    assert places.of(queued(1.5), BEGAN + 2).render() == {"position": 140, "estimated_wait_s": 14.0}
    assert places.of(queued(2), BEGAN + 2).position == 160
    assert places.of(queued(-50), BEGAN + 2).position == 80


def test_who_still_waits_is_at_least_next():
    places = heard((0, 100, 0), (1, 20, 90))
    assert places.of(queued(0), BEGAN + 1).position == 1


def test_the_count_goes_on_when_another_scheduler_leads():
    places = heard((0, 100, 700), (1, 110, 710))
    hear(places, 2, 110, 5, term="next")
    hear(places, 3, 120, 15, term="next")
    assert places.of(queued(0.5), BEGAN + 3).position == 120 - 5 - 10


@pytest.mark.parametrize(
    ("job", "now"),
    [
        (queued(1, status=JobStatus.IN_PROGRESS), 1),
        (queued(1, published_at=None), 1),
        (queued(1, lane="batch"), 1),
        (queued(1), 2 + STALE_S),
    ],
    ids=["running", "not on the broker", "nothing heard of its queue", "stale"],
)
def test_without_knowledge_there_is_no_place(job, now):
    assert heard((0, 10, 0), (1, 10, 0)).of(job, BEGAN + now) is None


def test_without_a_pace_there_is_a_position_and_no_wait():
    assert heard((0, 10, 0), rate=None).of(queued(1), BEGAN + 1).render() == {
        "position": 10,
        "estimated_wait_s": None,
    }


def test_a_queue_that_is_not_mentioned_any_more_is_empty():
    places = heard((0, 10, 0))
    places.hear(BacklogEstimated(term="t", queues=()), BEGAN + 1)
    assert places.of(queued(0), BEGAN + 1) is None
