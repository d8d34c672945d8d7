"""JSON from callers and providers: parsed for reading, never to be written again."""

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


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is not JSON")
