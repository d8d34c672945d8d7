"""What the lines of a provider's batch files mean for their jobs.

Source: the request output object of OpenAI's Batch API reference.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.provider_worker.domain.answers import error_words, read_answer
from services.provider_worker.domain.json_text import parse
from services.provider_worker.domain.provider import ProviderAnswer
from shared.contracts.jobs import Operation
from shared.contracts.provider_batches import parse_line_id
from shared.errors import InvalidRequestError, ProviderError, ProviderRejectedError
from shared.json_members import members

_ABOUT_THE_CALL = (401, 403, 408, 425, 429)
"""Statuses below 500 that say nothing about the request itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAnswer:
    """The end of one job by a provider's batch."""

    job_id: UUID
    line: int
    answer: ProviderAnswer | None = None
    refusal: ProviderRejectedError | None = None


def read_batch_answer(provider: str, operation: Operation, text: bytes) -> BatchAnswer | None:
    """Read a line of an output or error file.

    Returns:
        None where the line ends no job: the provider did not get to it, failed at it, or wrote something
        that is no answer. A live call may still bring one.
    """
    response, custom_id = _response(text)
    place, status = parse_line_id(custom_id), response.get("status_code")
    if place is None or not isinstance(status, int):
        return None
    job_id, line = place
    if 200 <= status < 300:
        answer = _answer(provider, operation, text)
        return None if answer is None else BatchAnswer(job_id=job_id, line=line, answer=answer)
    if not 400 <= status < 500 or status in _ABOUT_THE_CALL:
        return None
    words, param = error_words(response.get("body"))
    message = words or f"{provider} answered with HTTP status {status}."
    refusal = ProviderRejectedError(provider, message, status=status, param=param)
    return BatchAnswer(job_id=job_id, line=line, refusal=refusal)


def _response(text: bytes) -> tuple[Mapping[str, Any], object]:
    """Read the response of a line, empty where it has none, and its ``custom_id``."""
    try:
        fields = parse(text)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        return {}, None
    response = fields.get("response")
    return (response if isinstance(response, dict) else {}), fields.get("custom_id")


def _answer(provider: str, operation: Operation, text: bytes) -> ProviderAnswer | None:
    try:
        return read_answer(provider, operation, _raw_body(text))
    except (InvalidRequestError, ProviderError):
        return None


def _raw_body(text: bytes) -> bytes:
    """Cut the answer out byte for byte."""
    for name in ("response", "body"):
        found = b"{}"
        for member in members(text):
            if member.name == name:
                found = text[member.start : member.end]
        text = found
    return text
