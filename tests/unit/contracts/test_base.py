"""Messages survive the broker byte for byte; ids sort by time."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.ids import created_at, first_id_at, new_id, parse_public_id, public_id
from shared.contracts.jobs import JobCancelRequested, JobDelta, JobStatus
from shared.errors import MalformedMessageError, NotFoundError


@given(st.binary())
def test_a_body_is_carried_untouched(body: bytes) -> None:
    delta = JobDelta(job_id=uuid4(), tenant_id=uuid4(), start_id=uuid4(), sequence=3, body=body)
    assert JobDelta.decode(delta.encode()) == delta


def test_a_field_of_a_newer_sender_is_ignored() -> None:
    cancel = JobCancelRequested(job_id=uuid4(), tenant_id=uuid4())
    newer = cancel.encode().replace(b"{", b'{"added_later":[1],', 1)
    assert JobCancelRequested.decode(newer) == cancel


@pytest.mark.parametrize("data", [b"", b"\n", b"not json\n{}", b'{"job_id": 1}\n', b"\xff\xfe"])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        JobCancelRequested.decode(data)


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(MalformedMessageError) as caught:
        JobCancelRequested.decode(b'{"job_id": "a prompt", "tenant_id": 5}')
    assert "a prompt" not in str(caught.value)


def test_only_queued_and_running_jobs_can_change() -> None:
    assert {status for status in JobStatus if not status.final} == {JobStatus.QUEUED, JobStatus.IN_PROGRESS}


def test_an_id_knows_when_it_was_made() -> None:
    before = datetime.now(UTC)
    identifier = new_id()
    assert abs(created_at(identifier) - before) < timedelta(seconds=5)
    assert identifier.version == 7


@given(st.integers(min_value=1, max_value=10**11).map(lambda ms: datetime.fromtimestamp(ms / 7.0, UTC)))
def test_the_first_id_of_a_moment_is_not_after_any_id_of_it(moment: datetime) -> None:
    first = first_id_at(moment)
    assert first.version == 7
    assert timedelta() <= moment - created_at(first) < timedelta(milliseconds=2)
    assert first_id_at(moment + timedelta(milliseconds=2)) > first


def test_a_public_id_is_read_back() -> None:
    identifier = new_id()
    assert parse_public_id("job", public_id("job", identifier)) == identifier


@pytest.mark.parametrize(
    "text", ["", "job", "job_", "job_xyz", "run_" + "0" * 32, "job_" + "g" * 32, "x" * 5000]
)
def test_what_is_no_id_is_not_found(text: str) -> None:
    with pytest.raises(NotFoundError):
        parse_public_id("job", text)
