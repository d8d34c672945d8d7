"""When a provider's batch API gets requests, what is done about them there, and when they are let go."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.scheduler.domain.batch import Batch
from services.scheduler.domain.provider_batch import GIVEN_UP_AFTER, ProviderBatch, step
from services.scheduler.domain.slack import slack_of
from shared.config.providers import ProviderBatch as Chosen
from shared.contracts.batches import BatchStatus
from shared.contracts.ids import created_at, new_id
from shared.contracts.jobs import Operation
from shared.contracts.provider_batches import (
    ProviderBatchAction,
    ProviderBatchReported,
    line_id,
    parse_line_id,
)

NOW = datetime.now(UTC)
CHOSEN = Chosen(reserve_s=100, recall_s=50, at_least_s=1000)


def batch(window_s: float, endpoint: str = "/v1/chat/completions") -> Batch:
    batch_id = new_id()
    return Batch(
        id=batch_id,
        tenant_id=new_id(),
        revision=1,
        status=BatchStatus.IN_PROGRESS,
        endpoint=endpoint,
        model="patient",
        input_file_id=new_id(),
        output_file_id=None,
        error_file_id=None,
        output_expires_s=None,
        traceparent=None,
        expires_at=created_at(batch_id) + timedelta(seconds=window_s),
        total=10,
        inserted=0,
        input_offset=0,
        gathered=0,
        completed=0,
        expired=0,
        open=0,
        waiting=0,
        first_open=None,
    )


def at_provider(**fields: object) -> ProviderBatch:
    made = ProviderBatch(
        id=new_id(),
        tenant_id=new_id(),
        batch_id=new_id(),
        revision=1,
        operation=Operation.CHAT,
        model="patient",
        parts=(),
        remote_id="batch_1",
        output_offset=10,
        error_offset=0,
        created_at=NOW,
        recall_at=NOW + timedelta(hours=1),
        live_at=NOW + timedelta(hours=2),
        unwanted=False,
    )
    return replace(made, **fields)


def test_only_a_batch_with_time_enough_goes_to_the_provider() -> None:
    now = datetime.now(UTC)
    assert slack_of(batch(1149), now, CHOSEN) is None
    assert slack_of(batch(1151, "/v1/images/generations"), now, CHOSEN) is None
    patient = batch(1151)
    slack = slack_of(patient, now, CHOSEN)
    assert slack is not None
    assert slack.live_at == patient.expires_at - timedelta(seconds=100)
    assert slack.recall_at == patient.expires_at - timedelta(seconds=150)


def test_the_decision_stays_the_same_until_the_recall() -> None:
    patient = batch(1151)
    begun = created_at(patient.id)
    assert slack_of(patient, begun + timedelta(seconds=1000), CHOSEN) is not None
    assert slack_of(patient, begun + timedelta(seconds=1001), CHOSEN) is None


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        ({"remote_id": None}, ProviderBatchAction.SUBMIT),
        ({}, ProviderBatchAction.LOOK),
        ({"unwanted": True}, ProviderBatchAction.RECALL),
        ({"recall_at": NOW}, ProviderBatchAction.RECALL),
        ({"recall_at": NOW, "remote_id": None}, ProviderBatchAction.RECALL),
    ],
)
def test_a_provider_batch_is_submitted_then_watched_then_recalled(
    fields: dict[str, object], action: ProviderBatchAction
) -> None:
    assert at_provider(**fields).action(NOW) is action


def test_requests_are_let_go_only_when_the_provider_is_known_to_be_done() -> None:
    held = at_provider(remote_id=None)
    silence = step(held, None, now=NOW, poll_s=5)
    assert (silence.state, silence.over, silence.failure) == ("open", False, "no_answer")
    failed = step(held, ProviderBatchReported(id=held.id, failure="x"), now=NOW, poll_s=5)
    assert (failed.over, failed.next_look_at) == (False, NOW + timedelta(seconds=5))
    running = step(held, ProviderBatchReported(id=held.id, remote_id="batch_7"), now=NOW, poll_s=5)
    assert (running.over, running.after.remote_id, running.after.output_offset) == (False, "batch_7", 10)
    over = step(held, ProviderBatchReported(id=held.id, ended=True, answered=(3, 4)), now=NOW, poll_s=5)
    assert (over.over, over.answered) == (True, (3, 4))


def test_more_answers_are_fetched_at_once() -> None:
    report = ProviderBatchReported(id=new_id(), more=True, answered=(1,), output_offset=99)
    part = step(at_provider(), report, now=NOW, poll_s=60)
    assert (part.over, part.next_look_at, part.after.output_offset) == (False, NOW, 99)


def test_a_provider_that_says_nothing_is_given_up_after_the_live_calls_began() -> None:
    held = at_provider()
    late = held.live_at + GIVEN_UP_AFTER
    assert step(held, None, now=late - timedelta(seconds=1), poll_s=5).state == "open"
    given_up = step(held, None, now=late, poll_s=5)
    assert (given_up.state, given_up.over) == ("given_up", False)


def test_the_id_of_a_line_is_read_as_it_was_spelled() -> None:
    job_id = new_id()
    assert parse_line_id(line_id(job_id, 50_000)) == (job_id, 50_000)
    for strange in (None, 7, "", "x-1", job_id.hex, f"{job_id.hex}-", f"{job_id.hex}--1", f"{'g' * 32}-1"):
        assert parse_line_id(strange) is None
