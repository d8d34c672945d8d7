"""What ``POST /v1/jobs`` takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from services.ingress.domain.checks import expect, required
from services.ingress.domain.inference import Inference, check_inference
from services.ingress.domain.job_times import JobLimits, read_times
from services.ingress.domain.job_webhook import JobWebhook, read_webhook
from services.ingress.domain.json_text import parse_object, raw_member
from services.ingress.domain.lanes import background_lane, lane_of_tier
from services.ingress.domain.metadata import read_metadata
from services.ingress.domain.retention import read_retention
from shared.config.catalog import Catalog
from shared.contracts.jobs import Lane, Operation
from shared.errors import InvalidRequestError, ModelNotFoundError, UnprocessableRequestError
from shared.security.egress import EgressPolicy

_FIELDS = {
    "operation",
    "input",
    "lane",
    "service_tier",
    "run_at",
    "deadline",
    "metadata",
    "max_attempts",
    "webhook",
    "retention",
}
_Choice = TypeVar("_Choice", Operation, Lane)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A background job, checked."""

    inference: Inference
    lane: Lane
    deadline_at: datetime
    metadata: Mapping[str, Any]
    max_attempts: int
    run_at: datetime | None = None
    """Not to be started before; None is at once."""
    webhook: JobWebhook | None = None
    retention_s: int | None = None


def read_submission(
    body: bytes,
    limits: JobLimits,
    egress: EgressPolicy,
    now: datetime,
    cancel_after: datetime | None = None,
) -> Submission:
    """Check the body of ``POST /v1/jobs``; the ``input`` is kept byte for byte.

    Args:
        body: One JSON object.
        limits: Of the operator.
        egress: Which URLs may be called.
        now: When the request came.
        cancel_after: What the header of that name says.

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
    times = read_times(fields, limits, now, cancel_after)
    return Submission(
        inference=inference,
        lane=_lane(fields, inference),
        run_at=times.run_at,
        deadline_at=times.deadline_at,
        metadata=read_metadata(fields.get("metadata")),
        max_attempts=_attempts(fields.get("max_attempts"), limits),
        webhook=read_webhook(fields.get("webhook"), egress),
        retention_s=read_retention(fields.get("retention")),
    )


def resolve_input(catalog: Catalog, submission: Submission) -> None:
    """Check that somebody serves the model.

    Raises:
        ModelNotFoundError: Nobody does.
    """
    try:
        catalog.resolve(submission.inference.model)
    except ModelNotFoundError as error:
        error.param = "input.model"
        raise


def _lane(fields: Mapping[str, Any], inference: Inference) -> Lane:
    """Take ``lane``, or what ``service_tier`` says, beside the input or in it."""
    lane, tier = fields.get("lane"), fields.get("service_tier")
    wanted = None if tier is None else lane_of_tier(tier)
    if lane is not None:
        return _choice(Lane, lane, "lane")
    return wanted or background_lane(inference.service_tier)


def _choice(choices: type[_Choice], value: object, param: str) -> _Choice:
    expect(value, "a string", param)
    try:
        return choices(str(value))
    except ValueError:
        allowed = ", ".join(repr(choice.value) for choice in choices)
        raise UnprocessableRequestError(f"'{param}' must be one of {allowed}.", param=param) from None


def _attempts(value: object, limits: JobLimits) -> int:
    if value is None:
        return limits.attempts
    expect(value, "an integer", "max_attempts")
    if not isinstance(value, int) or not 1 <= value <= limits.max_attempts:
        raise UnprocessableRequestError(
            f"'max_attempts' must be from 1 to {limits.max_attempts}.", param="max_attempts"
        )
    return value
