"""Changes a few members of a caller's JSON object and leaves every other byte as it is.

Parsing and writing again would change numbers (``1e400``, integers above 64 bits), the order of
duplicate members and the escapes; it would also cost time for each large prompt. Scanning finds where
the values of the top-level members begin and end, and new values are put in their place.
"""

import json
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from shared.errors import InvalidRequestError

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_OPEN = re.compile(rb"[ \t\r\n]*+\{[ \t\r\n]*+")
_KEY = re.compile(rb"[ \t\r\n]*+(" + _STRING + rb")[ \t\r\n]*+:[ \t\r\n]*+", re.DOTALL)
_SCALAR = re.compile(_STRING + rb"|[-+.0-9a-zA-Z]++", re.DOTALL)
_BRACKET = re.compile(rb'(?:[^\[\]{}"]++|' + _STRING + rb")*+([\[\]{}])", re.DOTALL)
_OPENING = (b"{", b"[")
_NEXT = re.compile(rb"[ \t\r\n]*+([,}])")


class Member(NamedTuple):
    """A top-level member: its name, and where its value lies."""

    name: str
    start: int
    end: int


def members(body: bytes) -> Iterator[Member]:
    """Find the top-level members of a JSON object.

    Raises:
        InvalidRequestError: It is not an object.
    """
    opened = _OPEN.match(body)
    if opened is None:
        raise InvalidRequestError("The body is not a JSON object.")
    position = opened.end()
    if body[position : position + 1] == b"}":
        return
    while True:
        key = _KEY.match(body, position)
        if key is None:
            raise InvalidRequestError("The body is not valid JSON.")
        end = _end_of_value(body, key.end())
        yield Member(_name(key[1]), key.end(), end)
        separator = _NEXT.match(body, end)
        if separator is None:
            raise InvalidRequestError("The body is not valid JSON.")
        if separator[1] == b"}":
            return
        position = separator.end()


def with_members(
    body: bytes, changes: Mapping[str, bytes], *, where_present: Mapping[str, bytes] = MappingProxyType({})
) -> bytes:
    """Give top-level members new values.

    Args:
        body: A JSON object.
        changes: New values, as JSON text; a member that is missing is added in front.
        where_present: The same for members that are not to be added.

    Raises:
        InvalidRequestError: The body is not an object.
    """
    pieces: list[bytes] = []
    done = 0
    missing = dict(changes)
    empty = True
    for member in members(body):
        empty = False
        value = changes.get(member.name, where_present.get(member.name))
        if value is not None:
            pieces += (body[done : member.start], value)
            done = member.end
            missing.pop(member.name, None)
    pieces.append(body[done:])
    changed = b"".join(pieces)
    if not missing:
        return changed
    added = b",".join(b"%s:%s" % (json.dumps(name).encode(), value) for name, value in missing.items())
    head, _, tail = changed.partition(b"{")
    return b"".join((head, b"{", added, b"" if empty else b",", tail))


def _name(quoted: bytes) -> str:
    if b"\\" not in quoted:
        return quoted[1:-1].decode(errors="replace")
    try:
        return str(json.loads(quoted))
    except ValueError as error:
        raise InvalidRequestError("The body is not valid JSON.") from error


def _end_of_value(body: bytes, start: int) -> int:
    if body[start : start + 1] not in _OPENING:
        scalar = _SCALAR.match(body, start)
        if scalar is None:
            raise InvalidRequestError("The body is not valid JSON.")
        return scalar.end()
    depth, position = 0, start
    while (bracket := _BRACKET.match(body, position)) is not None:
        position = bracket.end()
        depth += 1 if bracket[1] in _OPENING else -1
        if depth == 0:
            return position
    raise InvalidRequestError("The body is not valid JSON.")
