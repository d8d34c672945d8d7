"""Finds the members of a JSON object where they lie, without reading their values.

Parsing and writing again would change numbers (``1e400``, integers above 64 bits), the order of duplicate
members and the escapes. Scanning finds where the values of the top-level members begin and end.
"""

import json
import re
from collections.abc import Iterator
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
