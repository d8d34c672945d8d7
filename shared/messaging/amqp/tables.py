"""Field tables: the typed dictionaries of AMQP, as RabbitMQ spells them.

Source: AMQP 0-9-1, 4.2.5.5, with the type letters of RabbitMQ's errata (``l`` is a signed 64-bit integer,
``s`` a signed 16-bit one).
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from struct import Struct
from struct import error as struct_error
from typing import Any

from shared.messaging.amqp.errors import MalformedFrameError

FieldValue = str | int | bool | Mapping[str, Any]

_LONG = Struct(">I")
_TEXT = Struct(">cI")
_INTEGER = Struct(">cq")

_FIXED: dict[bytes, Struct] = {
    b"b": Struct(">b"),
    b"B": Struct(">B"),
    b"s": Struct(">h"),
    b"u": Struct(">H"),
    b"I": Struct(">i"),
    b"i": Struct(">I"),
    b"l": Struct(">q"),
    b"L": Struct(">q"),
    b"f": Struct(">f"),
    b"d": Struct(">d"),
    b"t": Struct(">?"),
    b"T": Struct(">Q"),  # seconds of Unix time; as a number, since others send milliseconds, or anything
}
_DECIMAL = Struct(">Bi")


@lru_cache(maxsize=512)
def short_string(text: str) -> bytes:
    """Encode a string of at most 255 bytes, its length first; for the few that come again and again.

    Raises:
        ValueError: It is longer.
    """
    return pack_short(text)


def pack_short(text: str) -> bytes:
    """Encode a string of at most 255 bytes, its length first.

    Raises:
        ValueError: It is longer.
    """
    encoded = text.encode()
    if len(encoded) > 255:
        raise ValueError(f"a short string has at most 255 bytes, this has {len(encoded)}")
    return bytes((len(encoded),)) + encoded


def encode_table(table: Mapping[str, FieldValue]) -> bytes:
    """Encode a table, its length first: texts, integers, truth values and tables of these."""
    pieces: list[bytes] = []
    for key, value in table.items():
        pieces.append(short_string(key))
        if isinstance(value, str):
            encoded = value.encode()
            pieces.append(_TEXT.pack(b"S", len(encoded)))
            pieces.append(encoded)
        elif isinstance(value, bool):
            pieces.append(b"t\x01" if value else b"t\x00")
        elif isinstance(value, int):
            pieces.append(_INTEGER.pack(b"l", value))
        else:
            pieces.append(b"F" + encode_table(value))
    body = b"".join(pieces)
    return _LONG.pack(len(body)) + body


def decode_table(data: bytes, start: int) -> tuple[dict[str, Any], int]:
    """Decode a table whose length stands at ``start``; returns it and where it ends.

    Texts that are no UTF-8 are read with replacement characters: headers of foreign messages may hold any.
    Of names what is no UTF-8 is left out, so that none gets longer than it may be.

    Raises:
        MalformedFrameError: It is no table, or is longer than the data.
    """
    try:
        return _table(data, start)
    except (IndexError, KeyError, OverflowError, RecursionError, ValueError, struct_error) as error:
        raise MalformedFrameError(f"no field table: {error!r}") from error


def _table(data: bytes, start: int) -> tuple[dict[str, Any], int]:
    table: dict[str, Any] = {}
    at = start + 4
    stop = at + _LONG.unpack_from(data, start)[0]
    if stop > len(data):
        raise ValueError("longer than the frame")
    while at < stop:
        key_end = at + 1 + data[at]
        key = data[at + 1 : key_end].decode(errors="ignore")
        table[key], at = _value(data, key_end)
    if at != stop:
        raise ValueError("a value crosses the end")
    return table, stop


def _value(data: bytes, start: int) -> tuple[Any, int]:
    kind, at = data[start : start + 1], start + 1
    fixed = _FIXED.get(kind)
    if fixed is not None:
        return fixed.unpack_from(data, at)[0], at + fixed.size
    return _OTHERS[kind](data, at)


def _text(data: bytes, at: int) -> tuple[str, int]:
    stop = at + 4 + _LONG.unpack_from(data, at)[0]
    return data[at + 4 : stop].decode(errors="replace"), stop


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    stop = at + 4 + _LONG.unpack_from(data, at)[0]
    return data[at + 4 : stop], stop


def _array(data: bytes, at: int) -> tuple[list[Any], int]:
    stop = at + 4 + _LONG.unpack_from(data, at)[0]
    if stop > len(data):
        raise ValueError("longer than the frame")
    values, at = [], at + 4
    while at < stop:
        value, at = _value(data, at)
        values.append(value)
    return values, at


def _decimal(data: bytes, at: int) -> tuple[Decimal, int]:
    places, unscaled = _DECIMAL.unpack_from(data, at)
    return Decimal(unscaled).scaleb(-places), at + _DECIMAL.size


def _nothing(_data: bytes, at: int) -> tuple[None, int]:
    return None, at


_OTHERS: dict[bytes, Callable[[bytes, int], tuple[Any, int]]] = {
    b"S": _text,
    b"x": _bytes,
    b"F": _table,
    b"A": _array,
    b"D": _decimal,
    b"V": _nothing,
}
