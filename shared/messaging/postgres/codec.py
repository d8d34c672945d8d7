"""Messages as PostgreSQL keeps them: text that no jsonb rewrites, and notifications of bounded size."""

import base64
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from shared.errors import MalformedMessageError, PayloadTooLargeError
from shared.messaging.broker import MAX_BODY_BYTES, NO_HEADERS, Message

MAX_NOTIFICATION_BYTES = 7900
"""PostgreSQL refuses 8,000 bytes and more."""
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_BASE64 = "base64"
_FIRST, _MORE, _LAST, _WHOLE = ">", "+", ".", "="
_HEAD = re.compile(r"[0-9a-f]+([>+.=])")


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
    properties, body = _parts(message)
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
        message = _message(properties, body or "")
        return message, None if first is None else datetime.fromisoformat(first)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedMessageError("the row is not a message of Penstock") from error


def unreadable(body: str | None) -> Message:
    """Show a row that is not a message to an operator as well as possible."""
    return Message(type="", body=(body or "").encode())


def to_notifications(message: Message, numbers: Iterator[int]) -> list[str]:
    """Encode for a channel, in as many pieces as it takes.

    Args:
        message: To be sent.
        numbers: Numbers the pieces: PostgreSQL drops one of two equal notifications in a transaction.

    Raises:
        PayloadTooLargeError: The body is over the port's limit.
        MalformedMessageError: A property holds what PostgreSQL cannot keep.
    """
    properties, body = _parts(message)
    data = f"{properties}\n{body}".encode()
    pieces = list(_cut(data, MAX_NOTIFICATION_BYTES))
    marks = [_FIRST, *itertools.repeat(_MORE, len(pieces) - 2), _LAST] if len(pieces) > 1 else [_WHOLE]
    return [f"{next(numbers):x}{mark}{piece}" for mark, piece in zip(marks, pieces, strict=True)]


class Assembler:
    """Puts the messages of one channel together again.

    The pieces of a message are sent in one transaction, and PostgreSQL delivers a transaction's
    notifications together. Where the connection broke among them, the next message begins anew.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def add(self, notification: str) -> Message | None:
        """Take the next notification; returns the message that it completes.

        Raises:
            MalformedMessageError: It was not made by :func:`to_notifications`.
        """
        head = _HEAD.match(notification)
        mark = head[1] if head else _WHOLE
        if mark in (_FIRST, _WHOLE):
            self._pieces.clear()
        self._pieces.append(notification[head.end() if head else 0 :])
        if mark in (_FIRST, _MORE):
            return None
        whole = "".join(self._pieces)
        self._pieces.clear()
        properties, _, body = whole.partition("\n")
        try:
            return _message(orjson.loads(properties), body)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise MalformedMessageError("a notification on our channel is not a message") from error


def _parts(message: Message) -> tuple[str, str]:
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
    if _ESCAPED_NUL.search(encoded):
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


def _message(properties: Mapping[str, Any], body: str) -> Message:
    expires_at = properties.get("expires_at")
    return Message(
        type=properties["type"],
        body=base64.b64decode(body) if properties.get("encoding") == _BASE64 else body.encode(),
        headers=properties.get("headers") or NO_HEADERS,
        correlation_id=properties.get("correlation_id"),
        reply_to=properties.get("reply_to"),
        expires_at=None if expires_at is None else datetime.fromisoformat(expires_at),
    )


def _cut(data: bytes, size: int) -> Iterator[str]:
    start = 0
    while True:
        end = min(start + size, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:  # inside a UTF-8 character
            end -= 1
        yield data[start:end].decode()
        if end == len(data):
            return
        start = end
