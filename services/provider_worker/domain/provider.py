"""The port to providers: one call in, an answer in the OpenAI shape out."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Protocol

from services.provider_worker.domain.tokens import Tokens
from shared.contracts.jobs import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCall:
    """One request to one provider."""

    operation: Operation
    model: str
    """As the provider names it."""
    body: bytes
    """The caller's OpenAI body; its ``model`` and ``stream`` do not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAnswer:
    """A whole answer."""

    body: bytes
    """In the OpenAI shape."""
    tokens: Tokens
    images: int = 0
    """How many pictures it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One chunk of a streamed answer, in the OpenAI shape."""

    raw: bytes
    """On one line."""
    data: dict[str, Any]
    """The same, parsed."""


class Provider(Protocol):
    """Anything that answers calls. Every wait is bounded by the provider's settings.

    Both methods raise the ``ProviderError`` family and ``InvalidRequestError``, nothing else on purpose.
    Cancelling them closes the connection to the provider.
    """

    @property
    def name(self) -> str:
        """What the configuration calls it."""

    async def complete(self, call: ProviderCall) -> ProviderAnswer:
        """Get the whole answer."""

    def stream(self, call: ProviderCall) -> AsyncGenerator[Chunk, None]:
        """Get the answer in chunks, usage included; returns only after the stream's proper end."""
