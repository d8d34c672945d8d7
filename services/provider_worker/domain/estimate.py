"""A guess at the usage of a stream whose provider did not get to report it."""

from typing import Any

from services.provider_worker.domain.json_text import parse
from services.provider_worker.domain.tokens import Tokens

_CHARACTERS_A_TOKEN = 4
"""Of English text, by OpenAI's rule of thumb."""


def estimated_tokens(request: bytes, pieces: int) -> Tokens:
    """Guess the tokens of a call.

    Args:
        request: The caller's body; its texts count by their length, pictures and files do not count.
        pieces: Chunks of the answer: most providers send one a token.
    """
    try:
        body = parse(request)
    except ValueError:
        return Tokens(output=pieces)
    characters = _characters(body.get("messages")) + _characters(body.get("prompt"))
    return Tokens(input=-(-characters // _CHARACTERS_A_TOKEN), output=pieces)


def _characters(value: Any) -> int:
    """Count the characters of a prompt, a message's content, or a list of such things."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(map(_characters, value))
    if isinstance(value, dict):
        return _characters(value.get("content")) + _characters(value.get("text"))
    return 0
