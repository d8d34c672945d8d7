"""The chunk that says a whole answer at once."""

import json
from typing import Any

_CHUNK = {"chat.completion": "chat.completion.chunk"}


def chunk_of(answer: bytes) -> bytes:
    """Spell an assembled answer as one chunk of the OpenAI stream, as JSON without a line break.

    Args:
        answer: As ``JobFinished`` carries it. A completion's chunks have its shape already.
    """
    # orjson refuses half a surrogate pair, as an emoji that was cut leaves.
    whole: dict[str, Any] = json.loads(answer)
    choices = [_choice(choice) for choice in whole.get("choices", ())]
    kind = whole.get("object", "")
    return json.dumps({**whole, "object": _CHUNK.get(kind, kind), "choices": choices}).encode()


def _choice(choice: dict[str, Any]) -> dict[str, Any]:
    if "message" not in choice:
        return choice
    delta = dict(choice["message"])
    if delta.get("tool_calls"):  # only chunks number them
        delta["tool_calls"] = [{"index": n, **call} for n, call in enumerate(delta["tool_calls"])]
    return {**{name: value for name, value in choice.items() if name != "message"}, "delta": delta}
