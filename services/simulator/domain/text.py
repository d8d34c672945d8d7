"""Text in tokens: a token of the simulator is a word with the space before it."""

import re
from collections.abc import Sequence
from itertools import cycle, islice
from typing import Literal, NamedTuple

WORDS = (
    "water", "falls", "through", "the", "gate", "and", "turns", "a", "wheel", "that",
    "lights", "every", "house", "along", "this", "quiet", "river", "until", "morning", "comes",
)  # fmt: skip

_TOKEN = re.compile(r"\s*\S+|\s+$")


class Answer(NamedTuple):
    """What a text model says."""

    tokens: Sequence[str]
    """Joined without anything between them they are the text."""
    finish_reason: Literal["stop", "length"]


def tokens_of(text: str) -> list[str]:
    """Split a text; joining the parts gives it back."""
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """Count what :func:`tokens_of` would return."""
    return len(text.split()) + (1 if text != text.rstrip() else 0)


def words(count: int) -> list[str]:
    """Return the same ``count`` tokens every time."""
    said = list(islice(cycle(WORDS), count))
    return said[:1] + [f" {word}" for word in said[1:]]


def answer(tokens: Sequence[str], *, limit: int | None) -> Answer:
    """Say ``tokens``, cut at ``limit`` as a model's ``max_tokens`` does."""
    if limit is not None and len(tokens) > limit:
        return Answer(tokens[:limit], "length")
    return Answer(tokens, "stop")
