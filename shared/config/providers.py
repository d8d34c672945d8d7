"""Which providers there are and what they are called: the part that ingress and the worker share.

A provider is on when configuration names it, or when its usual environment variable holds a key.
Only the worker needs the keys; ingress needs the names.
"""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr


def _http_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("must be a URL that begins with http:// or https://")
    return url.rstrip("/")


def _provider_and_model(target: str) -> str:
    provider, _, model = target.partition("/")
    if not (provider and model):
        raise ValueError("must be provider/model, e.g. openai/gpt-4o-mini")
    return target


class ProviderSettings(BaseModel):
    """One provider, as ``penstock.yaml`` spells it under ``providers.<name>``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["openai", "litellm"] = "openai"
    """``openai``: anything that speaks the OpenAI protocol. ``litellm``: anything LiteLLM knows."""
    base_url: Annotated[str, AfterValidator(_http_url)] | None = None
    """Root of the API including its version, e.g. ``https://api.openai.com/v1``; no slash at its end."""
    api_key: SecretStr | None = None
    litellm_prefix: str | None = None
    """LiteLLM's own name of the provider where it differs, e.g. ``vertex_ai``."""
    models: tuple[str, ...] = ()
    """What ``GET /v1/models`` lists of it; any other model of the provider still works by name."""
    connect_timeout_s: float = Field(default=5.0, gt=0)
    first_token_timeout_s: float = Field(default=60.0, gt=0)
    """Longest wait for the answer's first byte; the whole answer when it is not streamed."""
    between_chunks_timeout_s: float = Field(default=30.0, gt=0)
    total_timeout_s: float = Field(default=600.0, gt=0)


class ProviderBatch(BaseModel):
    """How a provider's own batch API gets requests of batches that can wait, under ``provider_batch``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reserve_s: float = Field(default=7200.0, gt=0)
    """So long before a batch's deadline, what the provider has not answered is called live."""
    recall_s: float = Field(default=900.0, gt=0)
    """So long before that the provider is told to stop, so that it has stopped when the live calls begin."""
    at_least_s: float = Field(default=3600.0, gt=0)
    """A batch that would leave the provider less time is called live from the start."""
    poll_s: float = Field(default=60.0, gt=0)
    """How often the provider is asked how far it is."""
    price_factor: Decimal = Field(default=Decimal("0.5"), ge=0, le=1)
    """Of the list price, for what the provider's batch answered."""
    max_requests: int = Field(default=5_000, ge=1, le=50_000)
    """In one batch of the provider; a larger batch becomes several."""
    max_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """In one batch of the provider, more only by one transaction; a worker has them in memory at once."""


class ModelAlias(BaseModel):
    """A name of the operator's choosing for one or more models, under ``models.<name>``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    targets: tuple[Annotated[str, AfterValidator(_provider_and_model)], ...] = Field(
        min_length=1, examples=[("openai/gpt-4o-mini", "groq/llama-3.1-8b-instant")]
    )
    """``provider/model`` each, tried in this order."""
    provider_batch: ProviderBatch | None = None
    """Set to let the first target's provider have, at its batch price, what batches have time for."""
