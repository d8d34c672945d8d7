"""API keys: ``sk-penstock-<key id>-<secret>``; the store has the id and an HMAC of the secret.

The id finds the row, the secret proves the right to it, so that a look-up is by an index and the
comparison takes the same time whatever the caller sends. The secret has 256 random bits: one HMAC is
enough, a slow password hash would add nothing but latency.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import SecretStr

from shared.errors import AuthenticationError

PREFIX = "sk-penstock"
_PURPOSE = b"penstock/api-key/v1"
_KEY = re.compile(rf"{PREFIX}-([0-9a-f]{{16}})-([A-Za-z0-9_-]{{43}})")


class KeyRole(StrEnum):
    """What a key may do."""

    TENANT = "tenant"
    """Its tenant's work."""
    OPERATOR = "operator"
    """Its tenant's work, and steer the fleet, which every tenant shares."""


@dataclass(frozen=True, slots=True)
class MintedKey:
    """A new key. ``key`` is shown once and kept nowhere; the other two are stored."""

    key: str = field(repr=False)
    key_id: str
    """16 hexadecimal digits; not secret, may be logged."""
    digest: bytes = field(repr=False)
    """32 bytes."""


def mint(pepper: SecretStr) -> MintedKey:
    """Make a key that nobody can guess.

    Args:
        pepper: The fleet's secret key; without it the stored digests verify nothing.
    """
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    return MintedKey(key=f"{PREFIX}-{key_id}-{secret}", key_id=key_id, digest=_digest(secret, pepper))


def parse(key: str) -> tuple[str, str]:
    """Split a key into its id and its secret.

    Raises:
        AuthenticationError: The text does not have the shape of a key; it is not repeated.
    """
    match = _KEY.fullmatch(key)
    if match is None:
        raise AuthenticationError("Incorrect API key provided.")
    return match[1], match[2]


def verify(secret: str, digest: bytes, pepper: SecretStr) -> bool:
    """Tell whether a secret is the one that a digest was made of, in constant time."""
    return hmac.compare_digest(_digest(secret, pepper), digest)


def _digest(secret: str, pepper: SecretStr) -> bytes:
    """HMAC-SHA256 with a key of its own: the pepper serves other purposes, each derives from it."""
    purpose_key = hmac.digest(pepper.get_secret_value().encode(), _PURPOSE, hashlib.sha256)
    return hmac.digest(purpose_key, secret.encode(), hashlib.sha256)
