"""The secrets that sign webhooks: ``whsec_`` and base64, sealed wherever they are kept.

A signer has to be able to read them, so they are encrypted (AES-256-GCM) by a key that is derived from the
fleet's secret key for this purpose alone (HKDF, RFC 5869). What is sealed for one tenant opens for no other.
"""

import base64
import secrets
from collections.abc import Iterable
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from shared.errors import PenstockError

PREFIX = "whsec_"
_SECRET_BYTES = 32
_PURPOSE = b"penstock/webhook-secret/v1"
_VERSION = b"\x01"
_NONCE_BYTES = 12


class SecretUnreadableError(PenstockError):
    """A sealed secret does not open: it was sealed under another secret key, or for another tenant."""

    code = "secret_unreadable"


def mint_secret() -> str:
    """Make a secret of 256 random bits, as Standard Webhooks spells them."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """Return the bytes that sign.

    Raises:
        ValueError: The text is no secret.
    """
    if not secret.startswith(PREFIX):
        raise ValueError(f"a webhook secret begins with {PREFIX}")
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)


class SecretBox:
    """Seals and opens webhook secrets.

    Args:
        secret_key: The fleet's.
    """

    def __init__(self, secret_key: SecretStr) -> None:
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(
            secret_key.get_secret_value().encode()
        )
        self._cipher = AESGCM(derived)

    def seal(self, secret: str, tenant_id: UUID) -> bytes:
        """Encrypt a secret for the store."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, secret.encode(), _VERSION + tenant_id.bytes)

    def open(self, sealed: bytes, tenant_id: UUID) -> str:
        """Decrypt what :meth:`seal` made.

        Raises:
            SecretUnreadableError: It was made with another key, or for another tenant.
        """
        start = len(_VERSION)
        nonce, text = sealed[start : start + _NONCE_BYTES], sealed[start + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, text, sealed[:start] + tenant_id.bytes).decode()
        except (InvalidTag, ValueError):
            raise SecretUnreadableError("A webhook secret cannot be read with this secret key.") from None

    def open_readable(self, sealed: Iterable[bytes], tenant_id: UUID) -> list[str]:
        """Decrypt those that can be read: after a change of the secret key, the ones that were made since.

        Raises:
            SecretUnreadableError: There are some, and none of them can be read.
        """
        readable, unreadable = [], None
        for one in sealed:
            try:
                readable.append(self.open(one, tenant_id))
            except SecretUnreadableError as error:
                unreadable = error
        if unreadable is not None and not readable:
            raise unreadable
        return readable
