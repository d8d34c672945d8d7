"""Reading JSON that a caller wrote: strict, bounded in depth, and never changed on its way."""

import json
from typing import Any

import orjson

from shared.errors import InvalidRequestError

_WHITESPACE = " \t\n\r"
_DECODER = json.JSONDecoder()


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse a request body for validation; integers beyond 64 bits come out as floats.

    Raises:
        InvalidRequestError: Not a JSON object: bad syntax, bad UTF-8, an unpaired surrogate, a number
            beyond every float, nested deeper than 1,024, or another kind of value.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(f"The body is not valid JSON: {_reason(error)}.") from None
    if not isinstance(value, dict):
        raise InvalidRequestError(f"The body must be a JSON object, not {type_name(value)}.")
    return value


def _reason(error: orjson.JSONDecodeError) -> str:
    # The message may quote nothing of the body; the position is enough to find the mistake.
    return f"{error.msg.split(':')[0]} at line {error.lineno}, column {error.colno}"


def raw_member(body: bytes, name: str) -> bytes:
    """Cut one member's value out of an object, byte for byte; the last one where the name comes twice.

    Args:
        body: What :func:`parse_object` accepted.
        name: A member that it has.

    Raises:
        InvalidRequestError: A member is nested too deeply to be cut apart.
    """
    text = body.decode()
    found = ""
    at = _skip(text, 0) + 1
    while text[at := _skip(text, at)] != "}":
        if text[at] == ",":
            at = _skip(text, at + 1)
        key, at = _DECODER.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + 1)
        try:
            _, at = _DECODER.raw_decode(text, start)
        except RecursionError:
            raise InvalidRequestError("The body is nested too deeply.", param=key) from None
        if key == name:
            found = text[start:at]
    return found.encode()


def _skip(text: str, at: int) -> int:
    while text[at] in _WHITESPACE:
        at += 1
    return at


_TYPE_NAMES = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def type_name(value: object) -> str:
    """Name a parsed value's type as JSON does, with its article."""
    return _TYPE_NAMES.get(type(value), "null")
