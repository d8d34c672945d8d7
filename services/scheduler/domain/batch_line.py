"""One line of a batch's input: ``custom_id``, ``method``, ``url`` and ``body``.

Source: the request input object of OpenAI's Batch API reference; the codes are its own where they are known.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from shared.errors import InvalidRequestError
from shared.json_members import members

BOM = b"\xef\xbb\xbf"
MAX_CUSTOM_ID = 512


class LineError(Exception):
    """A line cannot be used."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


@dataclass(frozen=True, slots=True)
class BatchLine:
    """A request."""

    custom_id: str
    model: str
    body: bytes
    """As the caller wrote it."""


def read_line(text: bytes, *, endpoint: str) -> BatchLine:
    """Check a line for itself.

    Raises:
        LineError: It cannot be used.
    """
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict):
        raise LineError("invalid_json_line", "This line is not parseable as valid JSON.")
    custom_id = _text(fields, "custom_id", "custom_id")
    if not 1 <= len(custom_id) <= MAX_CUSTOM_ID or "\0" in custom_id:
        raise LineError(
            "invalid_value",
            f"The custom_id must have 1 to {MAX_CUSTOM_ID} characters, none of them NUL.",
            "custom_id",
        )
    if _text(fields, "method", "method") != "POST":
        raise LineError("invalid_method", "The method of a request must be 'POST'.", "method")
    if _text(fields, "url", "url") != endpoint:
        raise LineError(
            "invalid_url",
            "The URL provided for this request does not match the endpoint of the batch.",
            "url",
        )
    return BatchLine(custom_id, _model(fields), _raw_body(text))


def _model(fields: dict[str, Any]) -> str:
    body = fields.get("body")
    if body is None:
        raise _missing("body")
    if not isinstance(body, dict):
        raise LineError("invalid_type", "Invalid type for 'body': expected an object.", "body")
    if body.get("stream"):
        raise LineError("invalid_value", "Requests of a batch cannot be streamed.", "body.stream")
    return _text(body, "model", "body.model")


def _text(fields: dict[str, Any], name: str, param: str) -> str:
    value = fields.get(name)
    if value is None:
        raise _missing(param)
    if not isinstance(value, str):
        raise LineError("invalid_type", f"Invalid type for '{param}': expected a string.", param)
    return value


def _missing(param: str) -> LineError:
    return LineError("missing_required_parameter", f"Missing required parameter: '{param}'.", param)


def _raw_body(text: bytes) -> bytes:
    """Cut the body out byte for byte; the last one where the name comes twice, as every parser takes it."""
    found = b""
    try:
        for member in members(text):
            if member.name == "body":
                found = text[member.start : member.end]
    except InvalidRequestError as error:
        raise LineError("invalid_json_line", "This line is not parseable as valid JSON.") from error
    return found
