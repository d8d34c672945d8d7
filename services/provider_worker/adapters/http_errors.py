"""Which error an HTTP answer of a provider is."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from services.provider_worker.domain.answers import error_words
from services.provider_worker.domain.json_text import parse
from shared.errors import (
    ProviderAuthenticationError,
    ProviderError,
    ProviderProtocolError,
    ProviderRateLimitedError,
    ProviderRejectedError,
    ProviderUnavailableError,
)

_REJECTIONS = frozenset({400, 402, 404, 405, 409, 410, 413, 414, 415, 422, 424, 431, 451})
_TRANSIENT = frozenset({408, 425})


def error_for(provider: str, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """Make an error of an answer outside 2xx.

    Args:
        provider: Its name in the configuration.
        status: HTTP status.
        headers: HTTP headers, case-insensitive.
        body: What came with it; may be cut short.
    """
    message, param = _words(body)
    message = message or f"{provider} answered with HTTP status {status}."
    if status in (401, 403):
        return ProviderAuthenticationError(provider, message)
    if status == 429:
        return ProviderRateLimitedError(provider, message, param=param, retry_after_s=retry_after_s(headers))
    if status in _REJECTIONS:
        return ProviderRejectedError(provider, message, status=status, param=param)
    if status >= 500 or status in _TRANSIENT:
        return ProviderUnavailableError(provider, message, retry_after_s=retry_after_s(headers))
    if 300 <= status < 400:
        message = f"{provider} answered with a redirect, which is not followed; check its base_url."
    return ProviderProtocolError(provider, message)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read how many seconds to wait: ``retry-after-ms``, or ``Retry-After`` as seconds or as a date."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("Retry-After")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None


def _words(body: bytes) -> tuple[str, str | None]:
    try:
        return error_words(parse(body))
    except ValueError:  # an HTML page of a proxy says nothing to a caller
        return "", None
