"""Which providers there are and what they are called: the part that ingress and the worker share.

A provider is on when configuration names it, or when its usual environment variable holds a key.
Only the worker needs the keys; ingress needs the names.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr


def _http_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("must be a URL that begins with http:// or https://")
    return url.rstrip("/")


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


class ModelAlias(BaseModel):
    """A name of the operator's choosing for one or more models, under ``models.<name>``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    targets: tuple[str, ...] = Field(
        min_length=1, examples=[("openai/gpt-4o-mini", "groq/llama-3.1-8b-instant")]
    )
    """``provider/model`` each, tried in this order."""
