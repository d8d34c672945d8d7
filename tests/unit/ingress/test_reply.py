"""What ingress reads of a worker's replies is what the contracts say."""

from datetime import UTC, datetime

import pytest

from services.ingress.domain.reply import ReplyDelta, ReplyEnd, read_reply
from shared.contracts.ids import new_id
from shared.contracts.jobs import Failure, JobDelta, JobFinished, JobStatus, Lane, Operation
from shared.errors import MalformedMessageError

JOB, TENANT, START = new_id(), new_id(), new_id()
NOW = datetime.now(UTC)


def finished(**fields: object) -> JobFinished:
    return JobFinished.model_validate(
        {
            "job_id": JOB,
            "tenant_id": TENANT,
            "request_id": "r",
            "operation": Operation.CHAT,
            "lane": Lane.INTERACTIVE,
            "model": "m",
            "status": JobStatus.COMPLETED,
            "background": False,
            "attempt": 1,
            "created_at": NOW,
            "finished_at": NOW,
            **fields,
        }
    )


def delta(sequence: int, body: bytes) -> JobDelta:
    return JobDelta(job_id=JOB, tenant_id=TENANT, start_id=START, sequence=sequence, body=body)


def test_a_delta_is_read_as_it_was_written():
    read = read_reply(JobDelta.message_type, delta(7, b"{}\n{}").encode())
    assert read == ReplyDelta(start_id=str(START), sequence=7, body=b"{}\n{}")


def test_an_answer_is_read_as_it_was_written():
    end = finished(start_id=START, deltas=3, body=b'{"id":1}')
    read = read_reply(end.message_type, end.encode())
    assert read == ReplyEnd(
        status=JobStatus.COMPLETED, start_id=str(START), deltas=3, body=b'{"id":1}', body_ref=None
    )


def test_a_failure_is_read_whole():
    failure = Failure(code="c", message="m", kind="k", param="p", http_status=429, retry_after_s=2.5)
    end = finished(status=JobStatus.FAILED, failure=failure, body_ref="somewhere")
    read = ReplyEnd.decode(end.encode())
    assert (read.status, read.failure, read.body_ref) == (JobStatus.FAILED, failure, "somewhere")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"{", b"7", b'"text"', b"\xff", b'{"status":"nice"}'])
@pytest.mark.parametrize("message_type", [JobDelta.message_type, JobFinished.message_type])
def test_anything_else_is_said_to_be_malformed(message_type: str, data: bytes):
    with pytest.raises(MalformedMessageError):
        read_reply(message_type, data)
