"""The rules by which messages change an open job."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest

from services.results.domain.lifecycle import JobMessage, apply, text_of
from services.results.domain.records import JobRecord
from shared.contracts.jobs import JobStatus, Usage
from tests.support.store import Job

NOW = datetime(2026, 1, 1, tzinfo=UTC)
A, B = UUID(int=1), UUID(int=2)


def feed(record: JobRecord, *messages: JobMessage) -> list[bool]:
    return [apply(record, message, now=NOW) for message in messages]


def types(record: JobRecord) -> list[str]:
    return [event.type for event in record.events]


def test_a_start_takes_the_job_out_of_the_queue(job: Job, record: JobRecord) -> None:
    assert feed(record, job.started(A)) == [True]
    assert record.status is JobStatus.IN_PROGRESS
    assert record.announced
    assert types(record) == ["job.in_progress"]
    assert record.events[0].sequence == 2


def test_a_start_that_comes_twice_changes_nothing(job: Job, record: JobRecord) -> None:
    start = job.started(A)
    assert feed(record, start, start) == [True, False]
    assert types(record) == ["job.in_progress"]
    assert record.added_ambiguous == 0


def test_a_second_start_makes_the_first_ambiguous_and_voids_its_deltas(job: Job, record: JobRecord) -> None:
    feed(record, job.started(A), job.delta(A, 0), job.started(B))
    assert feed(record, job.delta(A, 1), job.delta(B, 0)) == [False, True]
    assert record.attempts[A].outcome == "ambiguous"
    assert record.attempts[B].outcome == "started"
    assert record.added_ambiguous == 1
    assert types(record) == ["job.in_progress", "job.delta", "job.retrying", "job.delta"]
    assert orjson.loads(record.events[2].data)["failure"]["code"] == "ambiguous_attempt"


def test_a_delta_carries_the_lines_as_they_came(job: Job, record: JobRecord) -> None:
    feed(record, job.started(A), job.delta(A, 0, b'{"a": 1.0}\n{"b":"\xc3\xa9"}\n'))
    assert record.events[1].data == '{"chunks":[{"a": 1.0},{"b":"é"}]}'


def test_a_delta_that_comes_twice_is_recorded_once(job: Job, record: JobRecord) -> None:
    feed(record, job.started(A))
    assert feed(record, *(job.delta(A, n) for n in (0, 1, 1, 0, 2))) == [True, True, False, False, True]
    assert record.delta_sequence == 2


def test_deltas_that_overtake_their_start_are_kept(job: Job, record: JobRecord) -> None:
    assert feed(record, job.delta(A, 0), job.started(A), job.delta(A, 0), job.delta(A, 1)) == [
        True,
        True,
        False,
        True,
    ]
    assert record.status is JobStatus.IN_PROGRESS
    assert types(record) == ["job.in_progress", "job.delta", "job.delta"]


def test_deltas_that_overtake_a_second_start_void_those_of_the_first_and_are_not_voided_themselves(
    job: Job, record: JobRecord
) -> None:
    feed(record, job.started(A), job.delta(A, 0), job.delta(B, 0), job.started(B), job.delta(B, 1))
    assert types(record) == ["job.in_progress", "job.delta", "job.in_progress", "job.delta", "job.delta"]
    assert record.attempts[A].outcome == "ambiguous"


def test_a_deferral_queues_the_next_attempt(job: Job, record: JobRecord) -> None:
    deferral = job.deferred(A, usage=Usage(input_tokens=4))
    assert feed(record, job.started(A), deferral, deferral) == [True, True, False]
    assert (record.status, record.attempt) == (JobStatus.QUEUED, 2)
    assert record.retry_at == deferral.retry_at
    assert not record.announced
    assert record.attempts[A].outcome == "deferred"
    assert record.added_usage == [Usage(input_tokens=4)]
    data = orjson.loads(record.events[-1].data)
    assert data["attempt"] == 2
    assert datetime.fromisoformat(data["retry_at"]) == deferral.retry_at


def test_a_deferral_that_overtakes_its_start_counts(job: Job, record: JobRecord) -> None:
    assert feed(record, job.deferred(A), job.started(A)) == [True, False]
    assert (record.status, record.attempt) == (JobStatus.QUEUED, 2)


def test_the_next_attempt_is_announced_again(job: Job, record: JobRecord) -> None:
    feed(record, job.started(A), job.deferred(A), job.started(B, attempt=2))
    assert types(record) == ["job.in_progress", "job.retrying", "job.in_progress"]
    assert record.added_ambiguous == 0


def test_a_late_start_of_an_earlier_attempt_is_noted_and_moves_nothing(job: Job, record: JobRecord) -> None:
    feed(record, job.started(A), job.deferred(A), job.started(B, attempt=1))
    assert (record.status, record.attempt, record.added_ambiguous) == (JobStatus.QUEUED, 2, 1)
    assert record.attempts[B].outcome == "ambiguous"


def test_a_superseded_start_cannot_defer_the_job(job: Job, record: JobRecord) -> None:
    feed(record, job.started(A), job.started(B), job.deferred(A))
    assert (record.status, record.attempt, record.retry_at) == (JobStatus.IN_PROGRESS, 1, None)
    assert record.attempts[A].outcome == "deferred"


def test_an_answer_ends_the_job_whoever_brings_it(job: Job, record: JobRecord) -> None:
    feed(record, job.started(A), job.started(B), job.finished(A))
    assert record.end is not None
    assert (record.end.status, record.end.start_id) == (JobStatus.COMPLETED, A)


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.INCOMPLETE, JobStatus.EXPIRED])
def test_the_failure_of_a_superseded_start_leaves_the_job_to_the_later_one(
    status: JobStatus, job: Job, record: JobRecord
) -> None:
    feed(record, job.started(A), job.started(B), job.finished(A, status))
    assert record.end is None
    assert record.attempts[A].outcome == status
    assert record.added_usage == [Usage(input_tokens=3, output_tokens=5, cost_microusd=7)]


def test_a_failure_of_an_earlier_attempt_does_not_end_the_retry(job: Job, record: JobRecord) -> None:
    feed(record, job.started(A), job.deferred(A))
    assert feed(record, job.finished(None, JobStatus.FAILED, attempt=1)) == [False]
    assert record.end is None


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED])
def test_after_a_retry_that_was_asked_for_no_earlier_attempt_ends_or_disturbs_the_job(
    status: JobStatus, job: Job, record: JobRecord
) -> None:
    record.attempt, record.settled_attempts = 2, 1
    feed(record, job.started(A), job.delta(A, 0), job.finished(A, status))
    assert (record.end, record.status, types(record)) == (None, JobStatus.QUEUED, [])
    assert record.added_usage == [Usage(input_tokens=3, output_tokens=5, cost_microusd=7)]
    feed(record, job.started(B, attempt=2), job.deferred(A), job.finished(B, attempt=2))
    assert record.end is not None
    assert (record.end.start_id, types(record)) == (B, ["job.in_progress"])


def test_what_is_known_of_the_end_changes_nothing_after_it(job: Job, record: JobRecord) -> None:
    feed(record, job.started(A), job.finished(A))
    end = record.end
    late = [job.delta(A, 0), job.started(A), job.deferred(A), job.finished(A, JobStatus.FAILED)]
    assert feed(record, *late) == [False] * 4
    assert record.end is end
    assert record.added_usage == []
    assert types(record) == ["job.in_progress"]


def test_a_start_of_which_word_comes_after_the_end_is_ambiguous(job: Job, record: JobRecord) -> None:
    feed(record, job.started(A), job.finished(A))
    assert feed(record, job.started(B), job.started(B), job.delta(B, 0)) == [True, False, False]
    assert record.attempts[B].outcome == "ambiguous"
    assert record.added_ambiguous == 1
    assert types(record) == ["job.in_progress"]


def test_what_a_superseded_start_used_is_added_after_the_end(job: Job, record: JobRecord) -> None:
    feed(record, job.started(A), job.started(B), job.finished(B))
    assert feed(record, *[job.finished(A, JobStatus.FAILED)] * 2) == [True, False]
    assert record.attempts[A].outcome == "failed"
    assert record.added_usage == [Usage(input_tokens=3, output_tokens=5, cost_microusd=7)]
    assert record.end is not None
    assert record.end.start_id == B


def test_bytes_that_are_not_text_are_replaced() -> None:
    assert text_of(b"a\xff\x00\xc3\xa9") == "a\ufffd\ufffdé"


def test_the_retry_time_is_aware(job: Job, record: JobRecord) -> None:
    feed(record, job.deferred(A, retry_at=NOW + timedelta(seconds=1)))
    assert datetime.fromisoformat(orjson.loads(record.events[0].data)["retry_at"]).tzinfo is not None
