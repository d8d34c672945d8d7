"""The properties of a message: what travels beside its body.

Source: AMQP 0-9-1, 4.2.6.1: sixteen flags tell which properties follow, in a fixed order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from struct import error as struct_error
from typing import Any

from shared.messaging.amqp.errors import MalformedFrameError
from shared.messaging.amqp.tables import decode_table, encode_table, pack_short, short_string

_FLAGS = Struct(">H")

_CONTENT_TYPE = 1 << 15
_CONTENT_ENCODING = 1 << 14
_HEADERS = 1 << 13
_DELIVERY_MODE = 1 << 12
_PRIORITY = 1 << 11
_CORRELATION_ID = 1 << 10
_REPLY_TO = 1 << 9
_EXPIRATION = 1 << 8
_MESSAGE_ID = 1 << 7
_TIMESTAMP = 1 << 6
_TYPE = 1 << 5
_MORE_FLAGS = 1

_PERSISTENT = b"\x02"


@dataclass(slots=True)
class Properties:
    """Those properties that this fleet uses; others are skipped on reading."""

    type: str | None = None
    headers: Mapping[str, Any] | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    expiration: str | None = None
    """Milliseconds, in digits."""
    message_id: str | None = None
    persistent: bool = False


def encode_properties(properties: Properties, message_id: bytes = b"") -> bytes:
    """Spell properties, their flags first.

    Args:
        properties: What to spell; without its ``message_id``.
        message_id: As a short string; empty for none.

    Raises:
        ValueError: A string other than a header's is over 255 bytes.
    """
    flags, pieces = 0, []
    if properties.headers:
        flags |= _HEADERS
        pieces.append(encode_table(properties.headers))
    if properties.persistent:
        flags |= _DELIVERY_MODE
        pieces.append(_PERSISTENT)
    if properties.correlation_id is not None:
        flags |= _CORRELATION_ID
        pieces.append(pack_short(properties.correlation_id))
    if properties.reply_to is not None:
        flags |= _REPLY_TO
        pieces.append(short_string(properties.reply_to))
    if properties.expiration is not None:
        flags |= _EXPIRATION
        pieces.append(pack_short(properties.expiration))
    if message_id:
        flags |= _MESSAGE_ID
        pieces.append(message_id)
    if properties.type is not None:
        flags |= _TYPE
        pieces.append(short_string(properties.type))
    return _FLAGS.pack(flags) + b"".join(pieces)


def decode_properties(data: bytes, at: int) -> Properties:
    """Read properties whose flags stand at ``at``.

    Raises:
        MalformedFrameError: They are cut off, or use flags that AMQP 0-9-1 does not have.
    """
    try:
        properties, end = _read(data, at)
    except (IndexError, struct_error) as error:
        raise MalformedFrameError(f"no properties: {error!r}") from error
    if end > len(data):
        raise MalformedFrameError("the properties end too early")
    return properties


def _read(data: bytes, at: int) -> tuple[Properties, int]:
    flags = _FLAGS.unpack_from(data, at)[0]
    at += _FLAGS.size
    properties = Properties()
    if flags & _MORE_FLAGS:
        raise MalformedFrameError("properties with more than sixteen flags")
    for skipped in (_CONTENT_TYPE, _CONTENT_ENCODING):
        if flags & skipped:
            at += 1 + data[at]
    if flags & _HEADERS:
        properties.headers, at = decode_table(data, at)
    if flags & _DELIVERY_MODE:
        properties.persistent = data[at] == 2
        at += 1
    if flags & _PRIORITY:
        at += 1
    return properties, _read_texts(properties, flags, data, at)


def _read_texts(properties: Properties, flags: int, data: bytes, at: int) -> int:
    if flags & _CORRELATION_ID:
        properties.correlation_id, at = _text(data, at)
    if flags & _REPLY_TO:
        properties.reply_to, at = _text(data, at)
    if flags & _EXPIRATION:
        properties.expiration, at = _text(data, at)
    if flags & _MESSAGE_ID:
        properties.message_id, at = _text(data, at)
    if flags & _TIMESTAMP:
        at += 8
    if flags & _TYPE:
        properties.type, at = _text(data, at)
    return at


def _text(data: bytes, at: int) -> tuple[str, int]:
    stop = at + 1 + data[at]
    # Of foreign messages too; what is no UTF-8 is left out, so that none gets longer than it may be.
    return data[at + 1 : stop].decode(errors="ignore"), stop
