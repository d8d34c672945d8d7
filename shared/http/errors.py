"""Failures as the OpenAI API spells them, so that its official clients raise their own exceptions.

Source: the error object of the OpenAI API reference, ``{"error": {message, type, param, code}}``.
"""

import math
from typing import Any

from shared.contracts.jobs import Failure
from shared.errors import PenstockError, ProviderAuthenticationError, ProviderRejectedError

_LONGEST_RETRY_AFTER_S = 86_400


def failure_of(error: PenstockError) -> Failure:
    """Say an error in the words that a caller may read, for the wire and for the record.

    A provider that refuses our credentials is the operator's affair: the provider's own words can hold
    a part of the key, so they stay in the logs.
    """
    message, status, param = error.message, error.http_status, error.param
    if isinstance(error, ProviderAuthenticationError):
        message = f"The provider {error.provider!r} is not usable with the configured credentials."
        param = None
    elif isinstance(error, ProviderRejectedError):
        status = error.status
    return Failure(
        code=error.code,
        message=_sendable(message),
        kind=error.kind,
        param=None if param is None else _sendable(param),
        http_status=status,
        retry_after_s=error.retry_after_s,
    )


def _sendable(text: str) -> str:
    """Replace the halves of characters that a provider's cut text may hold: UTF-8 cannot spell them."""
    return text.encode("utf-8", "replace").decode()


def openai_error_of_failure(failure: Failure) -> dict[str, Any]:
    """Render the body of an error answer."""
    return {
        "error": {
            "message": failure.message,
            "type": failure.kind,
            "param": failure.param,
            "code": failure.code,
        }
    }


def error_headers_of_failure(failure: Failure) -> dict[str, str]:
    """Render the headers of an error answer: when to try again, how to authenticate."""
    headers = {}
    if failure.retry_after_s is not None:
        headers["Retry-After"] = str(retry_after(failure.retry_after_s))
        if failure.http_status == 429:  # what the official clients read first
            headers["retry-after-ms"] = str(retry_after_ms(failure.retry_after_s))
    if failure.http_status == 401 and failure.code == "invalid_api_key":
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def openai_error(error: PenstockError) -> dict[str, Any]:
    """Render the body of the answer to a request that failed with ``error``."""
    return openai_error_of_failure(failure_of(error))


def retry_after(seconds: float) -> int:
    """Round a wait up to whole seconds, as the header wants it; at least one second, at most one day."""
    if not seconds < _LONGEST_RETRY_AFTER_S:  # infinity and NaN, too
        return _LONGEST_RETRY_AFTER_S
    return max(1, math.ceil(seconds))


def retry_after_ms(seconds: float) -> int:
    """Round a wait up to whole milliseconds, within the same bounds."""
    return min(retry_after(seconds) * 1000, max(1, math.ceil(min(seconds, _LONGEST_RETRY_AFTER_S) * 1000)))
