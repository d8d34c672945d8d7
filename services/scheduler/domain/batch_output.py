"""Lines of a batch's output and error files. Source: the request output object of OpenAI's Batch API."""

from dataclasses import dataclass, field
from uuid import UUID

import orjson

from services.scheduler.domain.batch import EndedJob
from shared.contracts.jobs import Failure, JobStatus
from shared.http.errors import openai_error_of_failure

EXPIRED = ("batch_expired", "This request could not be executed before the completion window expired.")
CANCELLED = ("batch_cancelled", "This request was cancelled before it was done.")
_NO_FAILURE = Failure(code="internal_error", message="The job failed without saying why.")


@dataclass(slots=True)
class Gathered:
    """What some requests of a batch, one after the other, have come to."""

    last_line: int
    output: list[bytes] = field(default_factory=list)
    errors: list[bytes] = field(default_factory=list)
    size: int = 0
    """Bytes of all these lines."""
    expired: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    def add(self, job: EndedJob, result: bytes) -> None:
        """Write down one job.

        Args:
            job: The next request's.
            result: Its answer, where it has one.
        """
        self.last_line = job.line
        self.input_tokens += job.input_tokens
        self.output_tokens += job.output_tokens
        self.cached_tokens += job.cached_tokens
        if job.status is JobStatus.COMPLETED:
            self.reasoning_tokens += _reasoning_tokens(result)
            self._keep(self.output, _answered(job, 200, result))
        elif job.status is JobStatus.EXPIRED:
            self.expired += 1
            self._keep(self.errors, _without_answer(job.job_id, job.custom_id, *EXPIRED))
        elif job.status is JobStatus.CANCELLED:
            self._keep(self.errors, _without_answer(job.job_id, job.custom_id, *CANCELLED))
        else:
            failure = job.failure or _NO_FAILURE
            body = orjson.dumps(openai_error_of_failure(failure))
            self._keep(self.errors, _answered(job, failure.http_status, body))

    def add_unsent(self, request_id: UUID, custom_id: str, *, expired: bool) -> None:
        """Write down the next request, which never became a job."""
        self.last_line += 1
        self.expired += expired
        reason = EXPIRED if expired else CANCELLED
        self._keep(self.errors, _without_answer(request_id, custom_id, *reason))

    def _keep(self, lines: list[bytes], line: bytes) -> None:
        lines.append(line)
        self.size += len(line)


def _answered(job: EndedJob, status: int, body: bytes) -> bytes:
    return orjson.dumps(
        {
            "id": _request_name(job.job_id),
            "custom_id": job.custom_id,
            "response": {
                "status_code": status,
                "request_id": job.request_id,
                "body": orjson.Fragment(_on_one_line(body)),
            },
            "error": None,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def _without_answer(identifier: UUID, custom_id: str, code: str, message: str) -> bytes:
    return orjson.dumps(
        {
            "id": _request_name(identifier),
            "custom_id": custom_id,
            "response": None,
            "error": {"code": code, "message": message},
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def _on_one_line(body: bytes) -> bytes:
    """Take the line breaks out: JSON has them between its tokens only, where a space says the same."""
    return body.replace(b"\r", b" ").replace(b"\n", b" ")


def _request_name(identifier: UUID) -> str:
    return f"batch_req_{identifier.hex}"


def _reasoning_tokens(result: bytes) -> int:
    """Find how many of the tokens were thought only; nothing else needs the answer parsed."""
    if b'"reasoning_tokens"' not in result:
        return 0
    try:
        details = orjson.loads(result)["usage"]["completion_tokens_details"]
        tokens = details["reasoning_tokens"]
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return 0
    return tokens if isinstance(tokens, int) and tokens > 0 else 0
