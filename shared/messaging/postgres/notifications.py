"""Messages as notifications: small ones together, large ones in pieces, all of bounded size."""

import itertools
import re
from collections.abc import Iterator, Sequence

import orjson

from shared.errors import MalformedMessageError
from shared.messaging.broker import Message
from shared.messaging.postgres.codec import message_of, parts_of

MAX_NOTIFICATION_BYTES = 7900
"""PostgreSQL refuses 8,000 bytes and more."""
_PIECE_BYTES = MAX_NOTIFICATION_BYTES - len("1edc,")
"""At most the largest text that fits with its length before it, so that any larger one makes two pieces."""
_FIRST, _MORE, _LAST, _WHOLE = ">", "+", ".", "*"
_HEAD = re.compile(r"[0-9a-f]+([>+.*])")
_LENGTH = re.compile("([0-9a-f]+),")


def spell(message: Message) -> str:
    """Encode a message for a channel.

    Raises:
        PayloadTooLargeError: The body is over the port's limit.
        MalformedMessageError: A property holds what PostgreSQL cannot keep.
    """
    properties, body = parts_of(message)
    return f"{properties}\n{body}"


def pack(texts: Sequence[str], numbers: Iterator[int]) -> list[str]:
    """Make the payloads that carry these texts over one channel, in their order.

    Args:
        texts: Of :func:`spell`.
        numbers: Numbers the payloads: PostgreSQL drops one of two equal notifications in a transaction.
    """
    payloads: list[str] = []
    frames: list[str] = []
    room = MAX_NOTIFICATION_BYTES
    for text in texts:
        frame = f"{len(text):x},{text}"
        size = len(frame) if frame.isascii() else len(frame.encode())
        if frames and size > room:
            payloads.append(_WHOLE + "".join(frames))
            frames, room = [], MAX_NOTIFICATION_BYTES
        if size > room:
            pieces = list(_cut(text.encode(), _PIECE_BYTES))
            marks = (_FIRST, *itertools.repeat(_MORE, len(pieces) - 2), _LAST)
            payloads.extend(mark + piece for mark, piece in zip(marks, pieces, strict=True))
        else:
            frames.append(frame)
            room -= size
    if frames:
        payloads.append(_WHOLE + "".join(frames))
    return [f"{next(numbers):x}{payload}" for payload in payloads]


class Assembler:
    """Takes the messages of one channel out of its notifications.

    The pieces of a message are sent in one transaction, and PostgreSQL delivers a transaction's
    notifications together. Where the connection broke among them, the next message begins anew.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def add(self, notification: str) -> Sequence[Message]:
        """Take the next notification; returns the messages that it completes.

        Raises:
            MalformedMessageError: It was not made by :func:`pack`.
        """
        head = _HEAD.match(notification)
        if head is None:
            raise MalformedMessageError("a notification on our channel is not ours")
        mark, rest = head[1], notification[head.end() :]
        if mark in (_FIRST, _WHOLE):
            self._pieces.clear()
        if mark == _WHOLE:
            return [_message(text) for text in _frames(rest)]
        self._pieces.append(rest)
        if mark != _LAST:
            return ()
        whole = "".join(self._pieces)
        self._pieces.clear()
        return [_message(whole)]


def _frames(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        length = _LENGTH.match(text, start)
        if length is None:
            raise MalformedMessageError("a notification on our channel is not ours")
        start = length.end() + int(length[1], 16)
        yield text[length.end() : start]


def _message(text: str) -> Message:
    properties, _, body = text.partition("\n")
    try:
        return message_of(orjson.loads(properties), body)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedMessageError("a notification on our channel is not a message") from error


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
