"""What an operator is told of a queue, and when he is told that nobody knows."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingress.domain.fleet_queue import QueueNotSteerableError, fleet_queue
from services.ingress.domain.queue_view import FleetReports, QueueView, view_of
from shared.contracts.operations import PublisherReport, WorkerQueue, WorkerReport, WorkerState
from shared.errors import NotFoundError
from shared.messaging.broker import QueueStats

QUEUE = fleet_queue("jobs.chat.batch")
RESULTS = fleet_queue("results.v1")


def stats(**fields: Any) -> QueueStats:
    nothing = {
        "ready": 0,
        "in_flight": None,
        "consumers": 0,
        "oldest_age_s": None,
        "dead": 0,
        "paused": False,
    }
    return QueueStats(**{**nothing, **fields})


def worker(name: str, held: int, state: WorkerState = WorkerState.TAKING) -> WorkerReport:
    return WorkerReport(
        name=name,
        version="1",
        started_at=datetime.now(UTC),
        state=state,
        concurrency=8,
        queues={QUEUE.name: WorkerQueue(held=held, handled_per_s=1.5)},
        running=held,
        jobs=(),
    )


def view(queue=QUEUE, reports=None, *, draining=False, ages=None, **fields):
    return view_of(queue, stats(**fields), reports or FleetReports(), draining=draining, job_ages=ages)


def test_a_queue_has_a_name_with_or_without_its_version():
    assert fleet_queue("jobs.chat.batch.v1") is QUEUE
    assert (QUEUE.operation, QUEUE.lane, QUEUE.topic) == ("chat", "batch", "jobs.chat.batch")
    for name in ("", "v1", "jobs.chat", "jobs.chat.batch.v1.v1", "JOBS.CHAT.BATCH"):
        with pytest.raises(NotFoundError):
            fleet_queue(name)
    with pytest.raises(QueueNotSteerableError):
        RESULTS.require_jobs("purged")


def test_what_the_broker_knows_is_believed():
    seen = view(in_flight=3, ready=1, oldest_age_s=2.5, consumers=2)
    assert (seen.in_flight, seen.oldest_age_s, seen.unknown) == (3, 2.5, {})


def test_what_workers_hold_is_in_flight_when_every_consumer_has_reported():
    reports = FleetReports([worker("a", 2), worker("b", 3, WorkerState.DRAINING)])
    assert view(reports=reports, consumers=2).in_flight == 5
    silent = view(reports=reports, consumers=3)
    assert silent.in_flight is None
    assert "1 of 3" in silent.unknown["in_flight"]
    drained = FleetReports([worker("a", 2), worker("b", 0, WorkerState.DRAINED)])
    assert view(reports=drained, consumers=2).in_flight is None


def test_the_age_of_jobs_stands_in_for_that_of_messages():
    assert view(ready=2, ages={QUEUE.name: 7.0}).oldest_age_s == 7
    assert view(ready=0, ages={QUEUE.name: 7.0}).oldest_age_s is None
    assert view(ready=0).unknown == {}
    assert "PostgreSQL" in view(ready=1, ages=None).unknown["oldest_age_s"]
    assert "oldest_age_s" in view(ready=1, ages={}).unknown
    assert set(view(RESULTS, ready=1).unknown) == {"in_flight", "oldest_age_s", "rate"}


def test_rates_are_of_all_processes_together():
    publishers = [PublisherReport(name=name, published_per_s={"jobs.chat.batch": 2.0}) for name in "ab"]
    seen = view(reports=FleetReports([worker("a", 0), worker("b", 0)], publishers))
    assert (seen.in_per_s, seen.out_per_s) == (4, 3)


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "running"),
        ({"paused": True, "draining": True}, "paused"),
        ({"draining": True, "ready": 1, "in_flight": 0}, "draining"),
        ({"draining": True, "in_flight": 1}, "draining"),
        ({"draining": True, "consumers": 1}, "draining"),
        ({"draining": True, "in_flight": 0}, "drained"),
    ],
)
def test_a_queue_is_drained_when_nothing_waits_and_nothing_is_known_to_be_in_flight(
    fields: dict[str, Any], state: str
):
    seen: QueueView = view(**fields)
    assert (seen.state, seen.render()["state"]) == (state, state)
