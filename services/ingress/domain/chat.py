"""What a chat request must be before it goes on the broker; the provider judges the rest."""

from collections.abc import Mapping
from typing import Any

from services.ingress.domain.checks import expect, expect_optional, required, wrong_type
from shared.errors import InvalidRequestError, UnprocessableRequestError

_OPTIONAL = {
    "frequency_penalty": "a number",
    "logit_bias": "an object",
    "logprobs": "a boolean",
    "max_completion_tokens": "an integer",
    "max_tokens": "an integer",
    "metadata": "an object",
    "n": "an integer",
    "presence_penalty": "a number",
    "response_format": "an object",
    "seed": "an integer",
    "temperature": "a number",
    "tools": "an array",
    "top_logprobs": "an integer",
    "top_p": "a number",
    "user": "a string",
}
_MAY_BE_WITHOUT_CONTENT = ("assistant", "function")


def check_chat(fields: Mapping[str, Any]) -> None:
    """Check the body of ``POST /v1/chat/completions``.

    Raises:
        InvalidRequestError: With ``param``, e.g. ``messages[0].role``.
    """
    messages = required(fields, "messages")
    expect(messages, "an array", "messages")
    if not messages:
        raise UnprocessableRequestError("'messages' must have at least one message.", param="messages")
    for index, message in enumerate(messages):
        _check_message(message, f"messages[{index}]")
    expect_optional(fields, _OPTIONAL)


def _check_message(message: object, param: str) -> None:
    if not isinstance(message, dict):
        raise wrong_type(message, "an object", param)
    role = required(message, "role", within=f"{param}.")
    if not isinstance(role, str):
        raise wrong_type(role, "a string", f"{param}.role")
    content = message.get("content")
    if content is None:
        if role not in _MAY_BE_WITHOUT_CONTENT:
            raise InvalidRequestError(
                f"Missing required parameter: '{param}.content'.", param=f"{param}.content"
            )
    elif isinstance(content, list):
        _check_parts(content, f"{param}.content")
    elif not isinstance(content, str):
        raise wrong_type(content, "a string or an array", f"{param}.content")


def _check_parts(parts: list[object], param: str) -> None:
    for index, part in enumerate(parts):
        if not isinstance(part, dict):
            raise wrong_type(part, "an object", f"{param}[{index}]")
        kind = required(part, "type", within=f"{param}[{index}].")
        expect(kind, "a string", f"{param}[{index}].type")
