"""What ``POST /v1/jobs`` takes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import orjson

from services.ingress.domain.checks import expect, required, storable, wrong_type
from services.ingress.domain.inference import Inference, check_inference
from services.ingress.domain.json_text import parse_object, raw_member
from services.ingress.domain.lanes import background_lane
from shared.contracts.jobs import Lane, Operation
from shared.errors import InvalidRequestError, UnprocessableRequestError

MAX_METADATA_BYTES = 16 * 1024
MAX_METADATA_DEPTH = 32
"""Far below where writing JSON gives up, as lists of jobs wrap it."""
_FIELDS = {"operation", "input", "lane", "deadline", "metadata", "max_attempts"}
_Choice = TypeVar("_Choice", Operation, Lane)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """What the operator allows."""

    deadline_s: float
    max_deadline_s: float
    attempts: int
    max_attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A background job, checked."""

    inference: Inference
    lane: Lane
    deadline_at: datetime
    metadata: Mapping[str, Any]
    max_attempts: int


def read_submission(body: bytes, limits: JobLimits, now: datetime) -> Submission:
    """Check the body of ``POST /v1/jobs``; the ``input`` is kept byte for byte.

    Raises:
        InvalidRequestError: With the field at fault; those of the OpenAI body begin with ``input.``.
    """
    fields = parse_object(body)
    unknown = sorted(fields.keys() - _FIELDS)
    if unknown:
        raise InvalidRequestError(
            f"Unrecognized request argument: {unknown[0][:80]!r}.", param=unknown[0][:80]
        )
    operation = _choice(Operation, required(fields, "operation"), "operation")
    inputs = required(fields, "input")
    expect(inputs, "an object", "input")
    text = raw_member(body, "input")
    try:
        inference = check_inference(operation, text, inputs)
    except InvalidRequestError as error:
        error.param = f"input.{error.param}" if error.param else "input"
        raise
    lane = fields.get("lane")
    return Submission(
        inference=inference,
        lane=background_lane(inference.service_tier) if lane is None else _choice(Lane, lane, "lane"),
        deadline_at=_deadline(fields.get("deadline"), limits, now),
        metadata=_metadata(fields.get("metadata")),
        max_attempts=_attempts(fields.get("max_attempts"), limits),
    )


def _choice(choices: type[_Choice], value: object, param: str) -> _Choice:
    expect(value, "a string", param)
    try:
        return choices(str(value))
    except ValueError:
        allowed = ", ".join(repr(choice.value) for choice in choices)
        raise UnprocessableRequestError(f"'{param}' must be one of {allowed}.", param=param) from None


def _deadline(value: object, limits: JobLimits, now: datetime) -> datetime:
    """Read ISO 8601 with an offset, or seconds from now."""
    latest = now + timedelta(seconds=limits.max_deadline_s)
    match value:
        case None:
            return min(now + timedelta(seconds=limits.deadline_s), latest)
        case bool():
            raise wrong_type(value, "a string or a number", "deadline")
        case str():
            moment = _moment(value)
        case int() | float():
            if not 0 < value <= limits.max_deadline_s or math.isnan(value):
                raise _bad_deadline(limits)
            moment = now + timedelta(seconds=value)
        case _:
            raise wrong_type(value, "a string or a number", "deadline")
    if not now < moment <= latest:
        raise _bad_deadline(limits)
    return moment


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise UnprocessableRequestError(
        "'deadline' must be seconds from now, or an ISO 8601 time with its offset, "
        "e.g. '2030-01-31T12:00:00Z'.",
        param="deadline",
    )


def _bad_deadline(limits: JobLimits) -> UnprocessableRequestError:
    return UnprocessableRequestError(
        f"'deadline' must lie in the future, at most {limits.max_deadline_s:g} seconds from now.",
        param="deadline",
    )


def _metadata(value: object) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong_type(value, "an object", "metadata")
    if _deeper_than(MAX_METADATA_DEPTH, value):
        raise UnprocessableRequestError(
            f"'metadata' must not be nested deeper than {MAX_METADATA_DEPTH}.", param="metadata"
        )
    text = orjson.dumps(value)
    if len(text) > MAX_METADATA_BYTES:
        raise UnprocessableRequestError(
            f"'metadata' must not be longer than {MAX_METADATA_BYTES} bytes.", param="metadata"
        )
    if rb"\u0000" in text.replace(rb"\\", b""):  # a backslash of its own is no escape
        storable("\0", "metadata")
    return value


def _deeper_than(limit: int, value: object) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    members = value.values() if isinstance(value, dict) else value
    return limit == 0 or any(_deeper_than(limit - 1, member) for member in members)


def _attempts(value: object, limits: JobLimits) -> int:
    if value is None:
        return limits.attempts
    expect(value, "an integer", "max_attempts")
    if not isinstance(value, int) or not 1 <= value <= limits.max_attempts:
        raise UnprocessableRequestError(
            f"'max_attempts' must be from 1 to {limits.max_attempts}.", param="max_attempts"
        )
    return value
