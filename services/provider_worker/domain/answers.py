"""What an answer must look like before it counts as one."""

from collections.abc import Mapping
from typing import Any

from services.provider_worker.domain.json_text import parse
from services.provider_worker.domain.provider import Chunk, ProviderAnswer
from services.provider_worker.domain.tokens import tokens_of
from shared.contracts.jobs import Operation
from shared.errors import ProviderError, ProviderProtocolError, ProviderUnavailableError

_HEART = {
    Operation.CHAT: "choices",
    Operation.COMPLETION: "choices",
    Operation.EMBEDDING: "data",
    Operation.IMAGE: "data",
}
_LONGEST_MESSAGE = 2000
LARGEST_CHUNK = 192 * 1024
"""In bytes: a chunk travels in one message."""


def read_answer(provider: str, operation: Operation, body: bytes) -> ProviderAnswer:
    """Check a whole answer and read its usage; its bytes stay as they are.

    Raises:
        ProviderProtocolError: It is not JSON, or has not the operation's shape, or is empty.
        ProviderUnavailableError: It is an error object under a status of success.
    """
    data = object_of(provider, body)
    heart = data.get(_HEART[operation])
    if not isinstance(heart, list) or not heart:
        if data.get("error"):
            raise error_inside(provider, data)
        raise ProviderProtocolError(provider, f"{provider} answered without {_HEART[operation]!r}.")
    return ProviderAnswer(
        body=body,
        tokens=tokens_of(data.get("usage")),
        images=len(heart) if operation is Operation.IMAGE else 0,
    )


def object_of(provider: str, text: bytes) -> dict[str, Any]:
    """Parse a JSON object of a provider.

    Raises:
        ProviderProtocolError: It is none.
    """
    try:
        data = parse(text)
    except ValueError as error:
        raise ProviderProtocolError(provider, f"{provider} answered something that is not JSON.") from error
    if not isinstance(data, dict):
        raise ProviderProtocolError(provider, f"{provider} answered JSON that is not an object.")
    return data


def read_chunk(provider: str, text: bytes) -> Chunk:
    """Check one chunk of a stream and put it on one line.

    Raises:
        ProviderProtocolError: It is not a JSON object, or too large.
        ProviderUnavailableError: It is an error object.
    """
    if len(text) > LARGEST_CHUNK:
        raise ProviderProtocolError(provider, f"{provider} sent a chunk that is too large.")
    data = object_of(provider, text)
    if data.get("error"):
        raise error_inside(provider, data)
    if b"\n" in text:  # white space between tokens: inside a string it would be an escape
        text = text.replace(b"\n", b" ")
    return Chunk(raw=text, data=data)


def error_inside(provider: str, data: Mapping[str, Any]) -> ProviderError:
    """Make an error of an error object that came where an answer or a chunk was due."""
    message, _ = error_words(data)
    return ProviderUnavailableError(provider, f"{provider} broke off: {message or 'no reason given'}")


def error_words(data: object) -> tuple[str, str | None]:
    """Find message and param in the error shapes that are in use; bounded, empty when there is none."""
    error = data.get("error", data) if isinstance(data, Mapping) else data
    if isinstance(error, list) and error:  # Gemini's compatible endpoint wraps it in a list
        return error_words(error[0])
    if isinstance(error, str):
        return error[:_LONGEST_MESSAGE], None
    if not isinstance(error, Mapping):
        return "", None
    param = error.get("param")
    words = error.get("message") or error.get("detail") or ""
    text = words if isinstance(words, str) else str(words)
    return text[:_LONGEST_MESSAGE], param if isinstance(param, str) else None
