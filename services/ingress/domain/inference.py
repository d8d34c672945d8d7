"""One request for a provider call, read and checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.ingress.domain.chat import check_chat
from services.ingress.domain.checks import expect, expect_optional, model_name
from services.ingress.domain.json_text import parse_object
from services.ingress.domain.prompts import check_completion, check_embedding, check_image
from shared.contracts.jobs import Operation
from shared.errors import InvalidRequestError, UnprocessableRequestError

_CHECKS: Mapping[Operation, Callable[[Mapping[str, Any]], None]] = {
    Operation.CHAT: check_chat,
    Operation.COMPLETION: check_completion,
    Operation.EMBEDDING: check_embedding,
    Operation.IMAGE: check_image,
}
_STREAMED = (Operation.CHAT, Operation.COMPLETION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """What a caller asks of a model."""

    operation: Operation
    model: str
    stream: bool
    include_usage: bool
    """Whether the stream's last chunk with the usage is wanted."""
    service_tier: str | None
    body: bytes
    """As the caller wrote it."""


def read_inference(operation: Operation, body: bytes) -> Inference:
    """Check an OpenAI request body.

    Raises:
        InvalidRequestError: With the field at fault.
    """
    return check_inference(operation, body, parse_object(body))


def check_inference(operation: Operation, body: bytes, fields: Mapping[str, Any]) -> Inference:
    """Check a body that is parsed already."""
    model = model_name(fields)
    _CHECKS[operation](fields)
    expect_optional(
        fields, {"stream": "a boolean", "stream_options": "an object", "service_tier": "a string"}
    )
    stream = fields.get("stream") is True
    if stream and operation not in _STREAMED:
        raise UnprocessableRequestError("This operation cannot be streamed.", param="stream")
    return Inference(
        operation=operation,
        model=model,
        stream=stream,
        include_usage=_include_usage(fields, stream=stream),
        service_tier=fields.get("service_tier"),
        body=body,
    )


def _include_usage(fields: Mapping[str, Any], *, stream: bool) -> bool:
    options = fields.get("stream_options")
    if options is None:
        return False
    if not stream:
        raise InvalidRequestError(
            "'stream_options' is only allowed when 'stream' is true.", param="stream_options"
        )
    wanted = options.get("include_usage")
    if wanted is None:
        return False
    expect(wanted, "a boolean", "stream_options.include_usage")
    return bool(wanted)
