"""JSON from callers and providers: parsed for reading; only what is put together here is written."""

import json
from typing import Any, Never

import orjson


def parse(text: bytes) -> Any:
    """Parse strict JSON in UTF-8, fast; numbers beyond a double come out as Python reads them.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # orjson refuses 1e400, which is correct JSON.
        try:
            return json.loads(text.decode(), parse_constant=_refuse)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


def write(value: Any) -> bytes:
    """Write JSON, whatever :func:`parse` can have read."""
    try:
        return orjson.dumps(value)
    except TypeError:
        # Integers above 64 bits, and halves of a character that a provider split over two chunks.
        return json.dumps(value).encode()


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is not JSON")
