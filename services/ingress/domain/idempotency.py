"""The ``Idempotency-Key`` header: the same key and the same request are the same work.

Source: draft-ietf-httpapi-idempotency-key-header-07; a value in quotes, is the value between them.
"""

import hashlib
import re
from dataclasses import dataclass

from shared.errors import ConflictError, InvalidRequestError, UnprocessableRequestError

HEADER = "Idempotency-Key"
_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")


class IdempotencyKeyReusedError(UnprocessableRequestError):
    """The key belongs to another request of the tenant."""

    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was used for another request (another route, or another body). "
            "Use a new key for new work.",
            param=HEADER,
        )


class IdempotencyKeyInUseError(ConflictError):
    """Another request with the key is being accepted and takes its time."""

    code = "idempotency_key_in_use"

    def __init__(self) -> None:
        super().__init__(
            "A request with this Idempotency-Key is being accepted at this moment; send it again.",
            param=HEADER,
            retry_after_s=1.0,
        )


@dataclass(frozen=True, slots=True)
class KeyUse:
    """One request's key, and what tells it from other requests."""

    key: str
    fingerprint: bytes
    """SHA-256 of the route and the body."""


def read_key(value: str, *, route: str, body: bytes) -> KeyUse:
    """Check a key and take the fingerprint of its request.

    Args:
        value: The header.
        route: Method and path, e.g. ``POST /v1/jobs``; headers do not belong to the fingerprint.
        body: Of the request, byte for byte.

    Raises:
        InvalidRequestError: The key is empty, over 255 characters, or has others than visible ASCII.
    """
    key = value.strip(" \t")
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _VISIBLE.fullmatch(key):
        raise InvalidRequestError(
            f"{HEADER} must be 1 to 255 visible ASCII characters without spaces.", param=HEADER
        )
    digest = hashlib.sha256(route.encode() + b"\0")
    digest.update(body)
    return KeyUse(key, digest.digest())
