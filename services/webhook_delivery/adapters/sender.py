"""Signs a delivery and posts it, through the egress guard."""

import time
from datetime import UTC, datetime

import aiohttp
import structlog

from services.webhook_delivery.domain.delivery import Attempt, DueDelivery, Error
from services.webhook_delivery.domain.retry_after import retry_after_s
from shared import __version__
from shared.contracts.ids import public_id
from shared.runtime.crash_points import CrashPoint, crash_points
from shared.security.egress import UrlNotAllowedError
from shared.security.egress.client import Answer, GuardedClient
from shared.security.webhook_secrets import SecretBox, SecretUnreadableError
from shared.security.webhook_signatures import ID, SIGNATURE, TIMESTAMP, sign
from shared.storage.transitions import storable
from shared.storage.webhook_events import MESSAGE_PREFIX

_log = structlog.get_logger(__name__)

USER_AGENT = f"Penstock-Webhooks/{__version__}"


_REASONS: tuple[tuple[tuple[type[Exception], ...], Error], ...] = (
    ((UrlNotAllowedError,), Error.URL_NOT_ALLOWED),
    ((SecretUnreadableError,), Error.SECRET_UNREADABLE),
    ((TimeoutError,), Error.TIMEOUT),
    ((aiohttp.ClientConnectorDNSError,), Error.NAME_NOT_RESOLVED),
    ((aiohttp.ClientSSLError,), Error.TLS_FAILED),
    ((aiohttp.ClientConnectionError, OSError), Error.CONNECTION_FAILED),
)
"""The first that fits; whatever else happens is a breach of the protocol."""


class HttpSender:
    """See ``Sender``.

    Args:
        client: Reaches only what it may.
        box: Opens the secrets that came with a delivery.
    """

    def __init__(self, client: GuardedClient, box: SecretBox) -> None:
        self._client = client
        self._box = box

    async def attempt(self, delivery: DueDelivery) -> Attempt:
        """See ``Sender.attempt``."""
        began, at = time.monotonic(), datetime.now(UTC)
        try:
            answer = await self._post(delivery, int(at.timestamp()))
            if 200 <= answer.status < 300:
                crash_points.reach(CrashPoint.DELIVER_SENT)
            return _attempt_of(answer, at=at, duration_s=time.monotonic() - began)
        except Exception as failure:  # noqa: BLE001 - whatever a stranger's server provokes is an attempt
            error = _reason(failure)
            if error is Error.PROTOCOL_ERROR and not isinstance(failure, aiohttp.ClientError):
                _log.warning("unexpected failure of a delivery", failure=type(failure).__name__)
            return Attempt(at=at, duration_s=time.monotonic() - began, error=error)

    async def _post(self, delivery: DueDelivery, timestamp: int) -> Answer:
        message_id = public_id(MESSAGE_PREFIX, delivery.event_id)
        secrets = self._box.open_readable(delivery.sealed_secrets, delivery.tenant_id)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            ID: message_id,
            TIMESTAMP: str(timestamp),
            SIGNATURE: sign(secrets, message_id, timestamp, delivery.payload),
        }
        return await self._client.post(delivery.url or "", delivery.payload, headers)


def _attempt_of(answer: Answer, *, at: datetime, duration_s: float) -> Attempt:
    return Attempt(
        at=at,
        duration_s=duration_s,
        status=answer.status,
        excerpt=storable(answer.excerpt.decode("utf-8", "replace")),
        error=None if 200 <= answer.status < 300 else Error.HTTP_STATUS,
        retry_after_s=retry_after_s(answer.headers.get("Retry-After"), now=datetime.now(UTC)),
    )


def _reason(failure: Exception) -> Error:
    return next((error for kinds, error in _REASONS if isinstance(failure, kinds)), Error.PROTOCOL_ERROR)
