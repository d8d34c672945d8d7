"""The checker finds what it is there for: each of these histories has one thing wrong."""

import json
from typing import Any

import pytest

from tests.faults.campaign.checker import check
from tests.faults.campaign.evidence import EventRow, Evidence, JobRow
from tests.faults.campaign.history import (
    Accepted,
    Began,
    Called,
    Cancelled,
    Entry,
    Followed,
    GivenUp,
    History,
    Killed,
    NotAccepted,
    Outcome,
    Recovered,
    Seen,
    Submitted,
    Told,
)
from tests.faults.campaign.work import Kind, text_of

KEY = "plain-1"
RESULT = json.dumps({"choices": [{"message": {"content": text_of(KEY)}}]})
GOOD = ("job.queued", "job.in_progress", "job.completed")


def history_of(*entries: Entry, kind: Kind = Kind.PLAIN) -> History:
    history = History()
    for entry in (
        Submitted(at=1, key=KEY, kind=kind),
        Accepted(at=2, key=KEY, job_id="job_1"),
        Seen(at=3, job_id="job_1", status="in_progress", finished_at=None, last_event=2),
        *entries,
    ):
        history.record(entry)
    return history


def evidence_of(*types: str, calls: int = 1, **fields: Any) -> Evidence:
    events = tuple(
        EventRow(job_id="job_1", sequence=number, type=name) for number, name in enumerate(types or GOOD, 1)
    )
    job = {"id": "job_1", "key": KEY, "status": "completed", "result": RESULT, "finished_at": 9, "starts": 9}
    return Evidence(
        jobs=(JobRow.model_validate({"last_event": len(events), **job, **fields}),),
        events=events,
        spans={KEY: tuple((float(n), n + 0.5) for n in range(calls))},
    )


def test_a_job_that_went_well_is_no_breach() -> None:
    seen = Seen(at=4, job_id="job_1", status="completed", finished_at=9, last_event=3)
    assert check(history_of(seen, Followed(at=5, job_id="job_1", sequences=(1, 2, 3))), evidence_of()) == []


def test_a_job_that_got_its_202_and_is_not_there_is_lost() -> None:
    (breach,) = check(history_of(), Evidence(jobs=(), events=()))
    assert "job_1 (plain-1) got its 202 and is lost" in breach


def test_a_job_that_never_ends_is_found() -> None:
    breaches = check(history_of(), evidence_of("job.queued", "job.in_progress", status="in_progress"))
    assert breaches == ["job_1 (plain-1) is still in_progress"]


def test_a_job_whose_submission_failed_must_end_too_if_it_exists() -> None:
    history = History()
    history.record(Submitted(at=1, key=KEY, kind=Kind.PLAIN))
    assert check(history, evidence_of("job.queued", status="queued")) == ["job_1 (plain-1) is still queued"]
    assert check(history, Evidence(jobs=(), events=())) == []


def test_an_outbox_row_of_a_job_that_has_ended_is_found() -> None:
    evidence = evidence_of().model_copy(update={"outbox": ("job_1",)})
    assert check(history_of(), evidence) == ["job_1 is still in the outbox"]


def test_two_terminal_events_are_found() -> None:
    assert "its events are" in check(history_of(), evidence_of(*GOOD, "job.completed"))[0]
    assert "its events are" in check(history_of(), evidence_of(*GOOD, "job.failed"))[0]


def test_an_event_after_the_end_is_found() -> None:
    assert "its events are" in check(history_of(), evidence_of(*GOOD, "job.delta"))[0]


@pytest.mark.parametrize("sequences", [(1, 3, 4), (1, 2, 2), (2, 3, 4)])
def test_a_gap_and_a_double_in_the_numbers_of_events_are_found(sequences: tuple[int, ...]) -> None:
    good = evidence_of()
    events = tuple(
        event.model_copy(update={"sequence": number})
        for event, number in zip(good.events, sequences, strict=True)
    )
    (breach,) = check(history_of(), good.model_copy(update={"events": events}))
    assert str(list(sequences)) in breach


def test_an_end_that_changed_after_somebody_had_seen_it_is_found() -> None:
    seen = Seen(at=4, job_id="job_1", status="failed", finished_at=9, last_event=3)
    (breach,) = check(history_of(seen), evidence_of())
    assert "seen as failed" in breach


def test_an_event_that_came_after_an_end_was_seen_is_found() -> None:
    seen = Seen(at=4, job_id="job_1", status="completed", finished_at=9, last_event=2)
    assert len(check(history_of(seen), evidence_of())) == 1


def test_an_end_that_the_job_cannot_have_is_found() -> None:
    types = ("job.queued", "job.in_progress", "job.failed")
    (breach,) = check(history_of(), evidence_of(*types, status="failed", failure="worker_crashed"))
    assert "worker_crashed" in breach


def test_two_jobs_of_one_submission_are_found() -> None:
    good = evidence_of()
    events = (*good.events, *(event.model_copy(update={"job_id": "job_2"}) for event in good.events))
    jobs = (*good.jobs, good.jobs[0].model_copy(update={"id": "job_2"}))
    evidence = Evidence(jobs=jobs, events=events, spans=good.spans)
    assert check(history_of(), evidence) == ["plain-1 was submitted once and is 2 jobs"]


def test_a_completed_job_that_the_provider_never_saw_is_found() -> None:
    assert "without a call" in check(history_of(), evidence_of(calls=0))[0]


def test_a_call_of_the_provider_that_is_not_recorded_is_found() -> None:
    (breach,) = check(history_of(), evidence_of(calls=2))
    assert breach == "job_1 (plain-1) was called 2 times, and 1 are recorded"
    assert check(history_of(), evidence_of(calls=2, ambiguous_attempts=1)) == []
    assert len(check(history_of(), evidence_of(calls=2, ambiguous_attempts=1, starts=1))) == 1


def test_starts_that_were_lost_with_the_brokers_data_are_excused() -> None:
    killed = Killed(at=5, victim="rabbitmq data", pid=1)
    back = Recovered(at=6, victim="rabbitmq data", after_s=1)
    assert check(history_of(killed, back), evidence_of(calls=2)) == []


CANCELLED_AT, EPOCH = 20.0, 1_000.0


@pytest.mark.parametrize(
    ("began", "ended", "breaches"),
    [
        pytest.param(10, 20.9, 0, id="stopped-within-a-second"),
        pytest.param(10, 21.1, 1, id="stopped-too-late"),
        pytest.param(10, None, 1, id="never-stopped"),
        pytest.param(24, 24.1, 1, id="begun-afterwards"),
    ],
)
def test_a_call_that_a_cancellation_did_not_stop_is_found(
    began: float, ended: float | None, breaches: int
) -> None:
    history = history_of(
        Began(at=1e-9, epoch=EPOCH),
        Cancelled(at=CANCELLED_AT, job_id="job_1", status=200),
        kind=Kind.CANCELLED,
    )
    span = (EPOCH + began, None if ended is None else EPOCH + ended)
    evidence = evidence_of("job.queued", "job.cancelled", status="cancelled", result=None)
    evidence = evidence.model_copy(update={"spans": {KEY: (span,)}})
    assert len(check(history, evidence)) == breaches
    for victim, excused in (("results", False), ("valkey", True)):
        history.record(Killed(at=CANCELLED_AT + 0.5, victim=victim, pid=1))
        history.record(Recovered(at=CANCELLED_AT + 1, victim=victim, after_s=0.5))
        assert len(check(history, evidence)) == (0 if excused else breaches)


@pytest.mark.parametrize(("began", "ended", "breaches"), [(10, 20.9, 0), (10, 21.1, 1), (24, 24.1, 1)])
def test_a_call_that_goes_on_after_the_deadline_is_found(began: float, ended: float, breaches: int) -> None:
    history = history_of(Began(at=1e-9, epoch=EPOCH), kind=Kind.HURRIED)
    evidence = evidence_of("job.queued", "job.expired", status="expired", result=None, deadline_at=EPOCH + 20)
    evidence = evidence.model_copy(update={"spans": {KEY: ((EPOCH + began, EPOCH + ended),)}})
    assert len(check(history, evidence)) == breaches


@pytest.mark.parametrize(("deadline", "breaches"), [(86_400, 0), (5, 1)])
def test_a_call_that_is_still_under_way_breaks_a_deadline_that_has_passed_only(
    deadline: float, breaches: int
) -> None:
    history = history_of(
        Began(at=1e-9, epoch=EPOCH),
        Killed(at=9, victim="x", pid=1),
        Recovered(at=9, victim="x", after_s=0),
        kind=Kind.HURRIED,
    )
    evidence = evidence_of("job.queued", "job.expired", status="expired", result=None)
    job = evidence.jobs[0].model_copy(update={"deadline_at": EPOCH + deadline})
    evidence = evidence.model_copy(update={"jobs": (job,), "spans": {KEY: ((EPOCH + 3, None),)}})
    assert len(check(history, evidence)) == breaches


def told(message_id: str = "msg_1", event: str = "job.completed", job_id: str = "job_1") -> Told:
    return Told(at=9, message_id=message_id, event=event, job_id=job_id)


def test_a_webhook_may_come_twice_under_one_id() -> None:
    assert check(history_of(told(), told()), evidence_of(webhook=True)) == []


def test_an_end_that_no_webhook_told_is_found() -> None:
    (breach,) = check(history_of(), evidence_of(webhook=True))
    assert breach == "job_1 (plain-1) is completed, and its webhook was never told"
    assert check(history_of(), evidence_of(webhook=False)) == []


def test_a_delivery_that_stays_to_be_made_is_found() -> None:
    evidence = evidence_of(webhook=True).model_copy(update={"untold": ("msg_1",)})
    assert check(history_of(told()), evidence) == ["msg_1 is still to be delivered, or was given up"]


def test_an_event_that_is_told_under_two_ids_is_found() -> None:
    (breach,) = check(history_of(told("msg_1"), told("msg_2")), evidence_of(webhook=True))
    assert "several ids: ['msg_1', 'msg_2']" in breach


def test_an_id_that_two_events_share_is_found() -> None:
    history = history_of(told(), told(event="job.failed"))
    assert any("told of several events" in breach for breach in check(history, evidence_of(webhook=True)))


@pytest.mark.parametrize("wrong", [told("msg_2", "job.failed"), told("msg_2", job_id="job_2")])
def test_a_webhook_that_tells_what_did_not_happen_is_found(wrong: Told) -> None:
    (breach,) = check(history_of(told(), wrong), evidence_of(webhook=True))
    assert breach.startswith("msg_2 says")


def test_a_client_who_waits_for_ever_is_found() -> None:
    (breach,) = check(history_of(GivenUp(at=200, after_s=150)), evidence_of())
    assert "after 150 s" in breach


def test_another_jobs_result_is_found() -> None:
    assert (
        "another result" in check(history_of(), evidence_of(result=RESULT.replace("plain-1", "plain-2")))[0]
    )


def test_a_cancellation_that_did_not_hold_is_found() -> None:
    history = history_of(Cancelled(at=4, job_id="job_1", status=200), kind=Kind.CANCELLED)
    assert check(history, evidence_of()) == ["job_1 was cancelled with 200 and is completed"]


def test_a_chunk_that_is_missing_from_a_stream_is_found() -> None:
    delta = '{"chunks":[{"choices":[{"delta":{"content":"streamed-1:0"}}]}]}'
    events = [EventRow(job_id="job_1", sequence=n, type=name) for n, name in enumerate(GOOD, 1)]
    events.insert(2, EventRow(job_id="job_1", sequence=3, type="job.delta", data=delta))
    events[3] = events[3].model_copy(update={"sequence": 4})
    job = {"id": "job_1", "key": "streamed-1", "status": "completed", "last_event": 4}
    result = RESULT.replace(text_of(KEY), text_of("streamed-1"))
    evidence = Evidence(
        jobs=(JobRow.model_validate(job | {"result": result}),),
        events=tuple(events),
        spans={"streamed-1": ((1.0, 2.0),)},
    )
    history = History()
    history.record(Submitted(at=1, key="streamed-1", kind=Kind.STREAMED))
    (breach,) = check(history, evidence)
    assert "streamed something else" in breach


def test_a_follower_who_missed_an_event_is_found() -> None:
    (breach,) = check(history_of(Followed(at=4, job_id="job_1", sequences=(1, 3))), evidence_of())
    assert "was followed as (1, 3)" in breach


@pytest.mark.parametrize("outcome", ["late", "wrong", "error", "broken"])
def test_a_call_that_fails_with_nobody_dead_is_found(outcome: Outcome) -> None:
    call = Called(at=30, streamed=False, began=20, outcome=outcome)
    assert len(check(history_of(call), evidence_of())) == 1


@pytest.mark.parametrize(
    ("victim", "outcome", "breaches"),
    [
        ("ingress", "broken", 0),
        ("ingress", "late", 1),
        ("postgres", "error", 0),
        ("postgres", "broken", 1),
        ("provider_worker", "error", 1),
        ("results", "error", 1),
    ],
)
def test_a_death_excuses_only_what_it_causes(victim: str, outcome: Outcome, breaches: int) -> None:
    history = history_of(
        Killed(at=21, victim=victim, pid=1),
        Recovered(at=23, victim=victim, after_s=2),
        Called(at=30, streamed=False, began=20, outcome=outcome),
    )
    assert len(check(history, evidence_of())) == breaches


def test_a_dead_worker_excuses_a_stream_that_had_begun_and_no_other_call() -> None:
    for streamed, breaches in ((True, 0), (False, 1)):
        history = history_of(
            Killed(at=21, victim="provider_worker", pid=1),
            Recovered(at=23, victim="provider_worker", after_s=2),
            Called(at=30, streamed=streamed, began=20, outcome="error"),
        )
        assert len(check(history, evidence_of())) == breaches


def test_an_error_long_after_the_recovery_is_found() -> None:
    history = history_of(
        Killed(at=21, victim="ingress", pid=1),
        Recovered(at=23, victim="ingress", after_s=2),
        Called(at=31, streamed=False, began=30, outcome="error"),
    )
    assert len(check(history, evidence_of())) == 1


def test_an_answer_that_is_not_recorded_is_found() -> None:
    call = Called(at=30, streamed=False, began=20, outcome="answered", job_id="job_9")
    (breach,) = check(history_of(call), evidence_of())
    assert "is not recorded" in breach


def test_who_would_come_too_late_may_be_told_so_and_nothing_else_with_that_status() -> None:
    for reason, breaches in (("{'code': 'queue_full'}", 0), ("{'code': 'provider_rate_limited'}", 1)):
        refused = NotAccepted(at=22, key="plain-2", began=21, status=429, reason=reason)
        assert len(check(history_of(refused), evidence_of())) == breaches


def test_a_refused_submission_is_excused_by_a_dead_database_only() -> None:
    refused = NotAccepted(at=22, key="plain-2", began=21, status=503, reason="database_unavailable")
    for victim, breaches in (("postgres", 0), ("rabbitmq", 1)):
        killed = Killed(at=21, victim=victim, pid=1)
        back = Recovered(at=23, victim=victim, after_s=2)
        assert len(check(history_of(killed, back, refused), evidence_of())) == breaches


def test_somebody_who_never_came_back_is_found() -> None:
    (breach,) = check(history_of(Killed(at=5, victim="scheduler", pid=1)), evidence_of())
    assert "scheduler was killed 1 times" in breach


def test_a_history_is_read_as_it_was_written(tmp_path) -> None:
    history = History(tmp_path / "history.jsonl")
    history.record(Killed(at=5, victim="scheduler", pid=1))
    history.close()
    assert History.read(tmp_path / "history.jsonl").of(Killed) == history.of(Killed)
