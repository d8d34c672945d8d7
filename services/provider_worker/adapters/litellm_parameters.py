"""What of a caller's body becomes a parameter of LiteLLM.

LiteLLM takes the address, credentials, callbacks, prices and mock answers as parameters beside those of
the model. A caller must reach none of those. The names of the OpenAI API are passed on. Another name is
a provider's own parameter (``top_k``) unless LiteLLM knows it as its own, or it looks like an address or
a credential: then the request is refused, for dropping it would be silent.
"""

import re
from collections.abc import Set as AbstractSet
from typing import Any

from shared.contracts.jobs import Operation
from shared.errors import InvalidRequestError

_CHAT = """
    messages functions function_call temperature top_p n stop max_tokens max_completion_tokens modalities
    prediction audio presence_penalty frequency_penalty logit_bias user response_format seed tools tool_choice
    logprobs top_logprobs parallel_tool_calls reasoning_effort verbosity thinking web_search_options
    service_tier safety_identifier prompt_cache_key prompt_cache_retention
"""
_COMPLETION = """
    prompt best_of echo frequency_penalty logit_bias logprobs max_tokens n presence_penalty seed stop suffix
    temperature top_p user
"""
_EMBEDDING = "input dimensions encoding_format user"
_IMAGE = """
    prompt n quality response_format size style user background moderation output_compression output_format
"""
_NAMES = {
    Operation.CHAT: frozenset(_CHAT.split()),
    Operation.COMPLETION: frozenset(_COMPLETION.split()),
    Operation.EMBEDDING: frozenset(_EMBEDDING.split()),
    Operation.IMAGE: frozenset(_IMAGE.split()),
}
_LEFT_OUT = frozenset({"model", "stream", "stream_options", "metadata", "store"})
"""Set by us, or bookkeeping of OpenAI's own platform, which means something else to LiteLLM."""
_SENSITIVE = re.compile(
    r"^_|^(?:api|base|litellm|mock|custom|model|aws|vertex|azure|oci|s3|gcs|watsonx|sagemaker|langfuse)_"
    r"|key|token|secret|passw|credential|auth|url|host|proxy|endpoint|region|project|tenant|header"
    r"|callback|client|profile|role|path|file|extra_|fallback|retr|timeout|cost",
    re.IGNORECASE,
)

_MODEL = re.compile(r"(?!.*(?:\.\.|//))[\w.:/@+-]+", re.ASCII)
"""Some providers have the model in the path of their URL, where ``..``, ``?`` or ``#`` lead elsewhere."""


def check_model(model: str) -> None:
    """Refuse a model's name that could change the address of the call.

    Raises:
        InvalidRequestError: It holds more than letters, digits and ``. : / @ + - _``, or leaves its path.
    """
    if not _MODEL.fullmatch(model):
        raise InvalidRequestError("The model's name has characters that no model has.", param="model")


def parameters(operation: Operation, body: dict[str, Any], own: AbstractSet[str]) -> dict[str, Any]:
    """Select what may be passed to LiteLLM.

    Args:
        operation: What is asked for.
        body: The caller's.
        own: Names of LiteLLM's own parameters.

    Raises:
        InvalidRequestError: A field would steer LiteLLM instead of the model.
    """
    names = _NAMES[operation]
    passed = {}
    for name, value in body.items():
        if name in names:
            if value is not None:
                passed[name] = value
        elif name not in _LEFT_OUT:
            if name in own or _SENSITIVE.search(name):
                raise InvalidRequestError(
                    f"The field {name[:80]!r} is not allowed for this provider.", param=name[:80]
                )
            passed[name] = value
    return passed
