"""Makes LiteLLM's objects look like the OpenAI API's."""

from typing import Any

import orjson


def answer_bytes(answer: Any) -> bytes:
    """Serialise a whole answer."""
    data = answer.model_dump(exclude_none=True)
    for choice in data.get("choices", ()):
        if "message" in choice:
            choice["message"].setdefault("content", None)
    return orjson.dumps(data)


def chunk_bytes(chunk: Any) -> bytes:
    """Serialise a chunk; the one with the usage has no choices, as with OpenAI."""
    data = chunk.model_dump(exclude_none=True)
    choices = data.get("choices") or []
    if data.get("usage") and not any(choice.get("finish_reason") or _says(choice) for choice in choices):
        choices = []
    for choice in choices:
        choice.setdefault("finish_reason", None)
    return orjson.dumps({**data, "choices": choices})


def _says(choice: dict[str, Any]) -> bool:
    return bool(choice.get("text")) or any((choice.get("delta") or {}).values())
