"""Messages as PostgreSQL keeps them: text that no jsonb rewrites."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from shared.errors import MalformedMessageError, PayloadTooLargeError
from shared.messaging.broker import MAX_BODY_BYTES, NO_HEADERS, Message

_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_BASE64 = "base64"


@dataclass(frozen=True, slots=True)
class Stored:
    """The two jsonb values of a row."""

    message: str
    headers: str


def to_row(message: Message) -> Stored:
    """Encode for a queue's table.

    Raises:
        PayloadTooLargeError: The body is over the port's limit.
        MalformedMessageError: A property holds what PostgreSQL cannot keep.
    """
    properties, body = parts_of(message)
    return Stored(orjson.dumps(body).decode(), properties)


def from_row(body: str | None, headers: str | None) -> tuple[Message, datetime | None]:
    """Decode what :func:`to_row` made; ``body`` is the string inside the jsonb value.

    Returns:
        The message, and when it was first published if it was put on the queue again later.

    Raises:
        MalformedMessageError: The row was written by somebody else.
    """
    try:
        properties = orjson.loads(headers or "")
        first = properties.get("published_at")
        message = message_of(properties, body or "")
        return message, None if first is None else datetime.fromisoformat(first)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedMessageError("the row is not a message of Penstock") from error


def unreadable(body: str | None) -> Message:
    """Show a row that is not a message to an operator as well as possible."""
    return Message(type="", body=(body or "").encode())


def parts_of(message: Message) -> tuple[str, str]:
    """Spell a message's properties as JSON, and its body as text.

    Raises:
        PayloadTooLargeError: The body is over the port's limit.
        MalformedMessageError: A property holds what PostgreSQL cannot keep.
    """
    if len(message.body) > MAX_BODY_BYTES:
        raise PayloadTooLargeError(
            f"a message of {len(message.body)} bytes is over the limit of {MAX_BODY_BYTES}"
        )
    properties: dict[str, Any] = {"type": message.type}
    if message.headers:
        properties["headers"] = dict(message.headers)
    if message.correlation_id is not None:
        properties["correlation_id"] = message.correlation_id
    if message.reply_to is not None:
        properties["reply_to"] = message.reply_to
    if message.expires_at is not None:
        properties["expires_at"] = message.expires_at.isoformat()
    body = _text(message.body)
    if body is None:
        properties["encoding"] = _BASE64
        body = base64.b64encode(message.body).decode()
    try:
        encoded = orjson.dumps(properties)
    except (TypeError, orjson.JSONEncodeError) as error:
        raise MalformedMessageError("a property of the message is not text") from error
    if b"u0000" in encoded and _ESCAPED_NUL.search(encoded):
        raise MalformedMessageError("a property of the message has a NUL character")
    return encoded.decode(), body


def _text(body: bytes) -> str | None:
    """Return a body as PostgreSQL can keep it, or None where it is not UTF-8 or has a NUL."""
    if b"\0" in body:
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def message_of(properties: Mapping[str, Any], body: str) -> Message:
    """Undo :func:`parts_of`; properties of another making raise what Python raises."""
    expires_at = properties.get("expires_at")
    return Message(
        type=properties["type"],
        body=base64.b64decode(body) if properties.get("encoding") == _BASE64 else body.encode(),
        headers=properties.get("headers") or NO_HEADERS,
        correlation_id=properties.get("correlation_id"),
        reply_to=properties.get("reply_to"),
        expires_at=None if expires_at is None else datetime.fromisoformat(expires_at),
    )
