"""What a call consumed, as the provider reports it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MOST = 10**12
"""More is no count; PostgreSQL keeps 63 bits, and a price multiplies it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Counts of one call; prompt tokens include the cached and the cache-writing ones."""

    input: int = 0
    output: int = 0
    cached: int = 0
    """Prompt tokens that the provider read from its cache."""
    cache_written: int = 0
    """Prompt tokens that the provider wrote to its cache (Anthropic bills them apart)."""
    input_image: int = 0
    """Prompt tokens of images, where the provider counts them apart."""


def tokens_of(usage: object) -> Tokens:
    """Read a ``usage`` object; what is missing or not a count is 0.

    Chat, completions and embeddings say ``prompt_tokens``, images and responses ``input_tokens``.
    """
    if not isinstance(usage, Mapping):
        return Tokens()
    details = _details(usage, "prompt_tokens_details", "input_tokens_details")
    return Tokens(
        input=_count(usage, "prompt_tokens", "input_tokens"),
        output=_count(usage, "completion_tokens", "output_tokens"),
        cached=_count(details, "cached_tokens"),
        cache_written=_count(details, "cache_creation_tokens", "cache_write_tokens"),
        input_image=_count(details, "image_tokens"),
    )


def _details(usage: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        if isinstance(usage.get(name), Mapping):
            details: Mapping[str, Any] = usage[name]
            return details
    return {}


def _count(source: Mapping[str, Any], *names: str) -> int:
    for name in names:
        value = source.get(name)
        if isinstance(value, int) and 0 < value <= _MOST:
            return int(value)
    return 0
