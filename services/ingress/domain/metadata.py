"""The caller's own ``metadata`` of a job."""

from collections.abc import Mapping
from typing import Any

import orjson

from services.ingress.domain.checks import storable, wrong_type
from shared.errors import UnprocessableRequestError

MAX_METADATA_BYTES = 16 * 1024
MAX_METADATA_DEPTH = 32
"""Far below where writing JSON gives up, as lists of jobs wrap it."""


def read_metadata(value: object, param: str = "metadata") -> Mapping[str, Any]:
    """Check that it can be kept, or compared with what is kept.

    Raises:
        InvalidRequestError: It is no object, too long, too deep, or holds a NUL.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong_type(value, "an object", param)
    if _deeper_than(MAX_METADATA_DEPTH, value):
        raise UnprocessableRequestError(
            f"'{param}' must not be nested deeper than {MAX_METADATA_DEPTH}.", param=param
        )
    text = orjson.dumps(value)
    if len(text) > MAX_METADATA_BYTES:
        raise UnprocessableRequestError(
            f"'{param}' must not be longer than {MAX_METADATA_BYTES} bytes.", param=param
        )
    if rb"\u0000" in text.replace(rb"\\", b""):  # a backslash of its own is no escape
        storable("\0", param)
    return value


def _deeper_than(limit: int, value: object) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    members = value.values() if isinstance(value, dict) else value
    return limit == 0 or any(_deeper_than(limit - 1, member) for member in members)
