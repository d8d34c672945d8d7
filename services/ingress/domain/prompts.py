"""What requests for completions, embeddings and images must be before they go on the broker."""

from collections.abc import Mapping
from typing import Any

from services.ingress.domain.checks import expect, expect_optional, required, wrong_type
from shared.errors import UnprocessableRequestError

_COMPLETION = {
    "echo": "a boolean",
    "max_tokens": "an integer",
    "n": "an integer",
    "seed": "an integer",
    "suffix": "a string",
    "temperature": "a number",
    "top_p": "a number",
    "user": "a string",
}
_EMBEDDING = {"dimensions": "an integer", "encoding_format": "a string", "user": "a string"}
_IMAGE = {
    "n": "an integer",
    "quality": "a string",
    "response_format": "a string",
    "size": "a string",
    "style": "a string",
    "user": "a string",
}


def check_completion(fields: Mapping[str, Any]) -> None:
    """Check the body of ``POST /v1/completions``."""
    _check_texts(required(fields, "prompt"), "prompt")
    expect_optional(fields, _COMPLETION)


def check_embedding(fields: Mapping[str, Any]) -> None:
    """Check the body of ``POST /v1/embeddings``."""
    _check_texts(required(fields, "input"), "input")
    if fields["input"] == "":
        raise UnprocessableRequestError("'input' must not be empty.", param="input")
    expect_optional(fields, _EMBEDDING)


def check_image(fields: Mapping[str, Any]) -> None:
    """Check the body of ``POST /v1/images/generations``."""
    prompt = required(fields, "prompt")
    expect(prompt, "a string", "prompt")
    if not prompt:
        raise UnprocessableRequestError("'prompt' must not be empty.", param="prompt")
    expect_optional(fields, _IMAGE)


def _check_texts(value: object, param: str) -> None:
    """Allow a text, texts, tokens, or several lists of tokens."""
    if isinstance(value, str):
        return
    if not isinstance(value, list):
        raise wrong_type(value, "a string or an array", param)
    if not value:
        raise UnprocessableRequestError(f"'{param}' must not be empty.", param=param)
    kind = type(value[0])
    if kind not in (str, int, list):
        raise wrong_type(value[0], "a string, an integer or an array", f"{param}[0]")
    for index, item in enumerate(value):
        if type(item) is not kind:
            raise wrong_type(item, "the same type as the first item", f"{param}[{index}]")
        if kind is list:
            _check_tokens(item, f"{param}[{index}]")


def _check_tokens(tokens: list[object], param: str) -> None:
    if not tokens:
        raise UnprocessableRequestError(f"'{param}' must not be empty.", param=param)
    for index, token in enumerate(tokens):
        expect(token, "an integer", f"{param}[{index}]")
