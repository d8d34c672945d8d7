"""The caller's own ``metadata`` of a job."""

from collections.abc import Mapping
from typing import Any

import orjson

from services.ingress.domain.checks import storable, wrong_type
from shared.errors import UnprocessableRequestError

MAX_METADATA_BYTES = 16 * 1024
MAX_METADATA_DEPTH = 32
"""Far below where writing JSON gives up, as lists of jobs wrap it."""


def read_metadata(value: object) -> Mapping[str, Any]:
    """Check that it can be kept.

    Raises:
        InvalidRequestError: It is no object, too long, too deep, or holds a NUL.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong_type(value, "an object", "metadata")
    if _deeper_than(MAX_METADATA_DEPTH, value):
        raise UnprocessableRequestError(
            f"'metadata' must not be nested deeper than {MAX_METADATA_DEPTH}.", param="metadata"
        )
    text = orjson.dumps(value)
    if len(text) > MAX_METADATA_BYTES:
        raise UnprocessableRequestError(
            f"'metadata' must not be longer than {MAX_METADATA_BYTES} bytes.", param="metadata"
        )
    if rb"\u0000" in text.replace(rb"\\", b""):  # a backslash of its own is no escape
        storable("\0", "metadata")
    return value


def _deeper_than(limit: int, value: object) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    members = value.values() if isinstance(value, dict) else value
    return limit == 0 or any(_deeper_than(limit - 1, member) for member in members)
