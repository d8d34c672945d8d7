"""Signatures of webhooks, by the Standard Webhooks specification (version 1, symmetric).

Signed is ``<webhook-id>.<webhook-timestamp>.<body>`` with HMAC-SHA256; the header holds one signature for
each secret that is valid, so that a receiver may know any of them.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from shared.errors import PenstockError
from shared.security.webhook_secrets import key_of

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
TOLERANCE_S = 300.0
_VERSION = "v1"
_LONGEST_TIME = 20
"""Digits; Python reads no number of thousands of them."""


class SignatureError(PenstockError):
    """A webhook is not what its signature says, or not of now."""

    code = "invalid_webhook_signature"


def sign(secrets: Sequence[str], message_id: str, timestamp: int, payload: bytes) -> str:
    """Spell the ``webhook-signature`` header.

    Args:
        secrets: Every valid one, the newest first.
        message_id: The ``webhook-id``.
        timestamp: The ``webhook-timestamp``, Unix seconds.
        payload: The body, byte for byte.
    """
    content = b"%s.%d.%s" % (message_id.encode(), timestamp, payload)
    return " ".join(f"{_VERSION},{_signature(secret, content)}" for secret in secrets)


def verify(
    secret: str, headers: Mapping[str, str], payload: bytes, *, now: float, tolerance_s: float = TOLERANCE_S
) -> None:
    """Return if a webhook is genuine.

    Args:
        secret: ``whsec_…``.
        headers: Those of the request, names in lower case.
        payload: The body, byte for byte.
        now: Unix seconds.
        tolerance_s: How far its time may be from now.

    Raises:
        SignatureError: It is not; the text says why.
    """
    message_id, moment, given = (headers.get(name) for name in (ID, TIMESTAMP, SIGNATURE))
    if not (message_id and moment and given):
        raise SignatureError(f"one of the headers {ID}, {TIMESTAMP}, {SIGNATURE} is missing")
    if not (moment.isascii() and moment.isdigit() and len(moment) <= _LONGEST_TIME):
        raise SignatureError(f"{TIMESTAMP} is no number")
    if abs(now - int(moment)) > tolerance_s:
        raise SignatureError(f"{TIMESTAMP} is more than {tolerance_s:g} s from now")
    try:
        wanted = _signature(
            secret, b"%s.%s.%s" % (message_id.encode(errors="replace"), moment.encode(), payload)
        )
    except (ValueError, binascii.Error):
        raise SignatureError("the secret is no webhook secret") from None
    versions = (part.partition(",") for part in given.split())
    if not any(
        version == _VERSION and hmac.compare_digest(wanted.encode(), signature.encode(errors="replace"))
        for version, _, signature in versions
    ):
        raise SignatureError("no signature is by this secret")


def _signature(secret: str, content: bytes) -> str:
    return base64.b64encode(hmac.digest(key_of(secret), content, hashlib.sha256)).decode()
