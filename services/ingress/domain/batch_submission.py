"""What ``POST /v1/batches`` takes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.ingress.domain.checks import expect, required, storable, wrong_type
from services.ingress.domain.file_form import expiry_seconds
from services.ingress.domain.json_text import parse_object
from shared.contracts.batches import ENDPOINTS, parse_file_id
from shared.errors import InvalidRequestError, NotFoundError, UnprocessableRequestError

MAX_PAIRS = 16
MAX_KEY = 64
MAX_VALUE = 512
_FIELDS = {"input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"}
_WINDOW = re.compile(r"([1-9][0-9]{0,5})([smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSubmission:
    """A batch, checked as far as that is possible without its input."""

    input_file_id: UUID
    endpoint: str
    completion_window: str
    window_s: int
    metadata: Mapping[str, str] | None
    output_expires_s: int | None


def read_batch_submission(body: bytes, *, max_window_s: float) -> BatchSubmission:
    """Check the body.

    Raises:
        InvalidRequestError: With the field at fault.
        NotFoundError: ``input_file_id`` is no id of a file.
    """
    fields = parse_object(body)
    unknown = sorted(fields.keys() - _FIELDS)
    if unknown:
        raise InvalidRequestError(
            f"Unrecognized request argument: {unknown[0][:80]!r}.", param=unknown[0][:80]
        )
    window, window_s = _window(_text(fields, "completion_window"), max_window_s)
    return BatchSubmission(
        input_file_id=_input_file(_text(fields, "input_file_id")),
        endpoint=_endpoint(_text(fields, "endpoint")),
        completion_window=window,
        window_s=window_s,
        metadata=_metadata(fields.get("metadata")),
        output_expires_s=_output_expires(fields.get("output_expires_after")),
    )


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = required(fields, name)
    expect(value, "a string", name)
    return str(value)


def _input_file(text: str) -> UUID:
    try:
        return parse_file_id(text)
    except NotFoundError as error:
        error.param = "input_file_id"
        raise


def _endpoint(text: str) -> str:
    if text not in ENDPOINTS:
        allowed = ", ".join(repr(endpoint) for endpoint in ENDPOINTS)
        raise UnprocessableRequestError(f"'endpoint' must be one of {allowed}.", param="endpoint")
    return text


def _window(text: str, max_window_s: float) -> tuple[str, int]:
    found = _WINDOW.fullmatch(text)
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 0 < seconds <= max_window_s:
        raise UnprocessableRequestError(
            "'completion_window' must be a number of seconds, minutes, hours or days, e.g. '24h', "
            f"of at most {max_window_s:g} seconds.",
            param="completion_window",
        )
    return text, seconds


def _metadata(value: object) -> Mapping[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong_type(value, "an object", "metadata")
    if len(value) > MAX_PAIRS:
        raise UnprocessableRequestError(f"'metadata' must have at most {MAX_PAIRS} pairs.", param="metadata")
    for key, text in value.items():
        param = f"metadata.{key[:80]}"
        expect(text, "a string", param)
        if len(key) > MAX_KEY or len(text) > MAX_VALUE:
            raise UnprocessableRequestError(
                f"'metadata' takes keys of up to {MAX_KEY} and values of up to {MAX_VALUE} characters.",
                param=param,
            )
        storable(key + text, "metadata")
    return value


def _output_expires(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong_type(value, "an object", "output_expires_after")
    return expiry_seconds(value.get("anchor"), value.get("seconds"), "output_expires_after")
