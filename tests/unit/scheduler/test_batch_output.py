"""Lines of the output and the error file, as OpenAI's clients read them."""

import json
from typing import Any

import pytest

from services.scheduler.domain.batch import EndedJob
from services.scheduler.domain.batch_output import Gathered
from shared.contracts.ids import new_id
from shared.contracts.jobs import Failure, JobStatus


def job(status: JobStatus, **fields: Any) -> EndedJob:
    values: dict[str, Any] = {
        "job_id": new_id(),
        "line": 7,
        "custom_id": "a",
        "request_id": "req-1",
        "status": status,
        "result": None,
        "result_ref": None,
        "failure": None,
        "input_tokens": 3,
        "output_tokens": 5,
        "cached_tokens": 1,
        **fields,
    }
    return EndedJob(**values)


def one(lines: list[bytes]) -> dict[str, Any]:
    (line,) = lines
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    return dict(json.loads(line))


def test_an_answer_keeps_its_body_and_takes_one_line() -> None:
    gathered = Gathered(6)
    done = job(JobStatus.COMPLETED)
    answer = b'{"id": "x",\r\n "big": 123456789012345678901234567890, "usage":{"completion_tokens_details":'
    gathered.add(done, answer + b'{"reasoning_tokens":4}}\n}')
    line = one(gathered.output)
    assert line["id"] == f"batch_req_{done.job_id.hex}"
    assert (line["custom_id"], line["error"]) == ("a", None)
    assert (line["response"]["status_code"], line["response"]["request_id"]) == (200, "req-1")
    assert line["response"]["body"]["big"] == 123456789012345678901234567890
    assert (gathered.last_line, gathered.errors) == (7, [])
    assert (gathered.input_tokens, gathered.output_tokens, gathered.cached_tokens) == (3, 5, 1)
    assert gathered.reasoning_tokens == 4


@pytest.mark.parametrize("answer", [b'"reasoning_tokens"', b"[]", b'{"usage":{"reasoning_tokens":1}}'])
def test_an_answer_of_another_shape_has_no_reasoning(answer: bytes) -> None:
    gathered = Gathered(6)
    gathered.add(job(JobStatus.COMPLETED), answer)
    assert gathered.reasoning_tokens == 0


def test_a_failure_is_written_as_the_route_would_have_answered() -> None:
    gathered = Gathered(6)
    failure = Failure(code="provider_rejected", message="no", http_status=400, param="n")
    gathered.add(job(JobStatus.FAILED, failure=failure), b"")
    line = one(gathered.errors)
    assert line["error"] is None
    assert line["response"]["status_code"] == 400
    assert line["response"]["body"]["error"]["code"] == "provider_rejected"


@pytest.mark.parametrize(
    ("status", "code", "expired"),
    [(JobStatus.EXPIRED, "batch_expired", 1), (JobStatus.CANCELLED, "batch_cancelled", 0)],
)
def test_what_was_not_executed_has_no_response(status: JobStatus, code: str, expired: int) -> None:
    gathered = Gathered(6)
    gathered.add(job(status), b"")
    line = one(gathered.errors)
    assert (line["response"], line["error"]["code"], gathered.expired) == (None, code, expired)
