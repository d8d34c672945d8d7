"""Providers that everybody knows: which variable holds the key, and where the API is.

A provider is on when its variable is set, as an environment variable or as a secret file; the address
can be changed with ``<NAME>_BASE_URL``. Both are below ``penstock.yaml`` and ``PENSTOCK_PROVIDERS__*``:
what the operator says about Penstock wins over what the machine happens to have, field by field.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from shared.config.layers import Layer


@dataclass(frozen=True, slots=True)
class KnownProvider:
    """One row of the table."""

    name: str
    keys: tuple[str, ...] = ()
    """Variables that may hold the key, in order of preference."""
    base_urls: tuple[str, ...] = ()
    """Variables that may hold the address."""
    base_url: str | None = None
    """The address where no variable names one; None leaves it to LiteLLM."""
    kind: Literal["openai", "litellm"] = "openai"
    litellm_prefix: str | None = None
    needs: tuple[tuple[str, ...], ...] = ()
    """Where there is no single key: one variable of each group must be set."""
    on_by_address: bool = False
    """Runs on the operator's own machines without a key: its address switches it on."""


def _openai(name: str, key: str, base_url: str) -> KnownProvider:
    address = key.removesuffix("_API_KEY").removesuffix("_TOKEN") + "_BASE_URL"
    return KnownProvider(name, (key,), (address,), base_url)


def _litellm(name: str, *keys: str, prefix: str | None = None) -> KnownProvider:
    addresses = tuple(key.removesuffix("_API_KEY") + "_BASE_URL" for key in keys)
    return KnownProvider(name, keys, addresses, kind="litellm", litellm_prefix=prefix)


KNOWN_PROVIDERS = (
    _openai("openai", "OPENAI_API_KEY", "https://api.openai.com/v1"),
    _openai("groq", "GROQ_API_KEY", "https://api.groq.com/openai/v1"),
    _openai("mistral", "MISTRAL_API_KEY", "https://api.mistral.ai/v1"),
    _openai("openrouter", "OPENROUTER_API_KEY", "https://openrouter.ai/api/v1"),
    _openai("deepseek", "DEEPSEEK_API_KEY", "https://api.deepseek.com/v1"),
    _openai("huggingface", "HF_TOKEN", "https://router.huggingface.co/v1"),
    # Not GITHUB_TOKEN: many machines have one that was never meant for this.
    _openai("github", "GITHUB_MODELS_API_KEY", "https://models.github.ai/inference"),
    KnownProvider(
        "ollama",
        ("OLLAMA_API_KEY",),
        ("OLLAMA_BASE_URL", "OLLAMA_API_BASE"),
        "http://127.0.0.1:11434/v1",
        on_by_address=True,
    ),
    KnownProvider(
        "vllm",
        ("VLLM_API_KEY",),
        ("VLLM_BASE_URL",),
        "http://127.0.0.1:8000/v1",
        on_by_address=True,
    ),
    _litellm("anthropic", "ANTHROPIC_API_KEY"),
    _litellm("gemini", "GEMINI_API_KEY", "GOOGLE_API_KEY"),
    _litellm("cohere", "COHERE_API_KEY", "CO_API_KEY"),
    _litellm("xai", "XAI_API_KEY"),
    _litellm("together", "TOGETHERAI_API_KEY", "TOGETHER_API_KEY", prefix="together_ai"),
    _litellm("fireworks", "FIREWORKS_AI_API_KEY", "FIREWORKS_API_KEY", prefix="fireworks_ai"),
    _litellm("perplexity", "PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"),
    _litellm("cerebras", "CEREBRAS_API_KEY"),
    _litellm("replicate", "REPLICATE_API_KEY"),
    KnownProvider("azure", ("AZURE_API_KEY",), ("AZURE_BASE_URL", "AZURE_API_BASE"), kind="litellm"),
    # LiteLLM reads the credentials of these clouds by itself, from their usual variables and roles.
    KnownProvider(
        "bedrock",
        kind="litellm",
        needs=(
            ("AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ROLE_ARN"),
            ("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"),
        ),
    ),
    KnownProvider(
        "vertex",
        kind="litellm",
        litellm_prefix="vertex_ai",
        needs=(("GOOGLE_APPLICATION_CREDENTIALS",), ("VERTEXAI_PROJECT", "VERTEX_PROJECT")),
    ),
)


USUAL_VARIABLES = frozenset(
    name
    for known in KNOWN_PROVIDERS
    for name in (*known.keys, *known.base_urls, *(name for group in known.needs for name in group))
)
"""Every variable in the table."""


def known_defaults() -> dict[str, dict[str, str]]:
    """Say what is true of each known provider whoever switches it on."""
    return {
        known.name: {
            name: value
            for name in ("kind", "base_url", "litellm_prefix")
            if (value := getattr(known, name)) is not None
        }
        for known in KNOWN_PROVIDERS
    }


def usual_variables_layer(variables: Mapping[str, tuple[str, str]]) -> Layer:
    """Switch on the providers whose usual variables are set.

    Args:
        variables: Text and source by name.
    """
    layer = Layer()
    set_ = {name: found for name, found in variables.items() if found[0]}
    for known in KNOWN_PROVIDERS:
        for field, value, source in _found(known, set_):
            layer.put(("providers", known.name, field), value, source)
    return layer


def _found(known: KnownProvider, variables: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    key, address = _first(known.keys, variables), _first(known.base_urls, variables)
    enough = [_first(group, variables) for group in known.needs]
    if known.needs and all(enough) and enough[0]:
        yield "kind", known.kind, enough[0][1]
    elif key or (known.on_by_address and address):
        if key:
            yield "api_key", *key
        if address:
            yield "base_url", _with_version(address[0]) if known.on_by_address else address[0], address[1]


def _first(names: tuple[str, ...], variables: Mapping[str, tuple[str, str]]) -> tuple[str, str] | None:
    return next((variables[name] for name in names if name in variables), None)


def _with_version(address: str) -> str:
    """Add the ``/v1`` that people leave out of the address of a server of their own."""
    scheme, separator, rest = address.rstrip("/").partition("://")
    return f"{scheme}{separator}{rest}" if "/" in rest else f"{scheme}{separator}{rest}/v1"
