"""Which of our errors one of LiteLLM's is. They are told apart by status, as LiteLLM does itself."""

import re
from collections.abc import Iterator, Mapping

from services.provider_worker.adapters.http_errors import error_for, retry_after_s
from services.provider_worker.domain.answers import error_words
from services.provider_worker.domain.json_text import parse
from shared.errors import (
    ProviderError,
    ProviderProtocolError,
    ProviderTimeoutError,
    ProviderUnavailableError,
)

_PREFIX = re.compile(r"^(?:litellm\.)?\w+(?:Error|Exception|Timeout): (?:\w+(?:Error|Exception) - )?")
_ADVICE = re.compile(r"\.? Handle with `litellm\.\w+`\.$")
_LONGEST_MESSAGE = 2000
_CONNECTION = ("APIConnectionError", "ServiceUnavailableError", "InternalServerError", "BadGatewayError")


def error_from(provider: str, error: Exception, *, secret: str | None) -> ProviderError:
    """Translate an exception that LiteLLM raised.

    Args:
        provider: Its name in the configuration.
        error: Anything; what is not understood counts as a break of the protocol.
        secret: Our key, which must not appear in the message.
    """
    name = type(error).__name__
    status = getattr(error, "status_code", 0)
    if isinstance(error, TimeoutError) or name == "Timeout":
        return ProviderTimeoutError(provider, f"{provider} was silent for too long.")
    if name in _CONNECTION or isinstance(error, OSError) or status >= 500:
        translated: ProviderError = ProviderUnavailableError(provider, f"{provider} is not available.")
    elif status >= 400:
        translated = error_for(provider, status, {}, b"")
        translated.message = _words(error) or translated.message
    else:
        translated = ProviderProtocolError(
            provider, f"{provider} gave an answer that LiteLLM cannot read ({name})."
        )
    if secret:
        translated.message = translated.message.replace(secret, "***")
    translated.args = (translated.message,)
    if translated.retryable:
        translated.retry_after_s = next(filter(None, map(retry_after_s, _headers(error))), None)
    return translated


def _words(error: Exception) -> str:
    """Find the provider's own message: LiteLLM wraps the whole error body into its own words."""
    text = _ADVICE.sub("", _PREFIX.sub("", str(getattr(error, "message", "") or error), count=1))
    start, end = text.find("{"), text.rfind("}")
    if 0 <= start < end:
        try:
            return error_words(parse(text[start : end + 1].encode()))[0]
        except ValueError:
            return text[:_LONGEST_MESSAGE]
    return text[:_LONGEST_MESSAGE]


def _headers(error: BaseException) -> Iterator[Mapping[str, str]]:
    """Find HTTP headers on an exception or on the one that it was made of."""
    for each in (error, error.__cause__, error.__context__):
        for holder in (getattr(each, "response", None), each):
            headers = getattr(holder, "headers", None)
            if headers:
                yield headers
