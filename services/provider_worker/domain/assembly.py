"""Puts the chunks of a stream together into the answer that the same call gives unstreamed."""

from typing import Any

from services.provider_worker.domain.json_text import write
from services.provider_worker.domain.tokens import Tokens, tokens_of
from shared.contracts.jobs import Operation

_OBJECT = {Operation.CHAT: "chat.completion", Operation.COMPLETION: "text_completion"}
_SAID_ONCE = frozenset(
    {"id", "type", "role", "name", "finish_reason", "object", "model", "encrypted_content"}
)
"""Strings that name something; every other string of a delta is a piece of a longer text."""


class Assembly:
    """The answer so far. Unknown fields of chunks and deltas are kept."""

    def __init__(self, operation: Operation) -> None:
        self._object = _OBJECT.get(operation, str(operation))
        self._head: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}
        self.tokens: Tokens | None = None
        """What the provider reported so far; None before it reported anything."""
        self.pieces = 0
        """Chunks that carried a piece of an answer: about one token each."""

    def add(self, chunk: dict[str, Any]) -> None:
        """Take the next chunk."""
        for name, value in chunk.items():
            if name == "choices":
                for choice in value if isinstance(value, list) else ():
                    if isinstance(choice, dict):
                        self._add_choice(choice)
            elif value is not None:
                self._head[name] = value
        if isinstance(chunk.get("usage"), dict):
            self.tokens = tokens_of(chunk["usage"])

    def answer(self) -> bytes:
        """Return the whole answer as JSON, as far as it has come."""
        choices = [_joined(self._choices[index]) for index in sorted(self._choices)]
        for choice in choices:
            for call in choice.get("message", {}).get("tool_calls") or ():
                if isinstance(call, dict):
                    call.pop("index", None)  # only chunks number them
        return write({**self._head, "object": self._object, "choices": choices})

    def _add_choice(self, choice: dict[str, Any]) -> None:
        index = choice.get("index")
        index = index if isinstance(index, int) else 0
        whole = self._choices.setdefault(index, {"index": index})
        for name, value in choice.items():
            if name == "delta":
                if isinstance(value, dict):
                    self.pieces += any(value[key] for key in value if key != "role")
                    _merge(whole.setdefault("message", {"role": "assistant", "content": None}), value)
            elif name == "text":
                self.pieces += bool(value)
                _merge(whole, {"text": value})
            elif name == "logprobs":
                _merge(whole, {"logprobs": value})
            elif name != "index" and (value is not None or name not in whole):
                whole[name] = value


class _Text(list[str]):
    """A string in pieces, joined once at the end."""


def _merge(whole: dict[str, Any], delta: dict[str, Any]) -> None:
    for name, value in delta.items():
        present = whole.get(name)
        if value is None:
            whole.setdefault(name, None)
        elif isinstance(value, str):
            if name in _SAID_ONCE:
                whole[name] = present or value
            elif isinstance(present, _Text):
                present.append(value)
            else:
                whole[name] = _Text((value,))
        elif isinstance(value, dict):
            if not isinstance(present, dict):
                present = whole[name] = {}
            _merge(present, value)
        elif isinstance(value, list):
            if not isinstance(present, list):
                present = whole[name] = []
            _merge_list(present, value)
        else:
            whole[name] = value


def _merge_list(whole: list[Any], delta: list[Any]) -> None:
    """Items with an ``index`` (tool calls) grow in their place, others (logprobs) follow each other."""
    for item in delta:
        if isinstance(item, dict) and isinstance(item.get("index"), int):
            for present in whole:
                if isinstance(present, dict) and present.get("index") == item["index"]:
                    break
            else:
                present = {"index": item["index"]}
                whole.append(present)
            _merge(present, item)
        else:
            whole.append(item)


def _joined(value: Any) -> Any:
    if isinstance(value, _Text):
        return "".join(value)
    if isinstance(value, dict):
        return {name: _joined(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_joined(item) for item in value]
    return value
