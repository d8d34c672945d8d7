"""How chat and completion spell the same answer."""

import time
from collections.abc import Sequence
from typing import Any, Protocol
from uuid import uuid4

import orjson

FINGERPRINT = "fp_simulator"


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, Any]:
    """OpenAI's ``usage`` object."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


class Shape(Protocol):
    """One of the two spellings, for one answer."""

    def whole(self, text: str, finish_reason: str, n: int) -> dict[str, Any]:
        """Everything but the usage."""
        ...

    def opening(self, index: int) -> bytes | None:
        """The stream's first event for one choice, where the API has one."""
        ...

    def delta(self, index: int) -> tuple[bytes, bytes]:
        """What stands before and behind a token's JSON string."""
        ...

    def closing(self, index: int, finish_reason: str) -> bytes:
        """The event with the finish reason."""
        ...

    def usage(self, counts: dict[str, Any]) -> bytes:
        """The event with the usage."""
        ...


class _Base:
    prefix = ""
    whole_object = ""
    chunk_object = ""

    def __init__(self, model: str, *, include_usage: bool) -> None:
        self.id = f"{self.prefix}-{uuid4().hex}"
        self.model = model
        self.created = int(time.time())
        self.include_usage = include_usage

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": FINGERPRINT,
        }

    def _event(self, choices: Sequence[dict[str, Any]], counts: dict[str, Any] | None = None) -> bytes:
        chunk = self._head(self.chunk_object)
        if self.include_usage:
            chunk["usage"] = counts
        chunk["choices"] = choices
        return b"data: %s\n\n" % orjson.dumps(chunk)

    def _around(self, choice: dict[str, Any]) -> tuple[bytes, bytes]:
        before, _, after = self._event([choice]).partition(b'"\\u0000"')
        return before, after

    def usage(self, counts: dict[str, Any]) -> bytes:
        return self._event([], counts)


class ChatShape(_Base):
    """``chat.completion``."""

    prefix = "chatcmpl"
    whole_object = "chat.completion"
    chunk_object = "chat.completion.chunk"

    def whole(self, text: str, finish_reason: str, n: int) -> dict[str, Any]:
        """See ``Shape``."""
        message = {"role": "assistant", "content": text, "refusal": None}
        return self._head(self.whole_object) | {
            "choices": [
                {"index": index, "message": message, "logprobs": None, "finish_reason": finish_reason}
                for index in range(n)
            ]
        }

    def opening(self, index: int) -> bytes | None:
        """See ``Shape``."""
        delta = {"role": "assistant", "content": ""}
        return self._event([{"index": index, "delta": delta, "finish_reason": None}])

    def delta(self, index: int) -> tuple[bytes, bytes]:
        """See ``Shape``."""
        return self._around({"index": index, "delta": {"content": "\0"}, "finish_reason": None})

    def closing(self, index: int, finish_reason: str) -> bytes:
        """See ``Shape``."""
        return self._event([{"index": index, "delta": {}, "finish_reason": finish_reason}])


class CompletionShape(_Base):
    """``text_completion``."""

    prefix = "cmpl"
    whole_object = chunk_object = "text_completion"

    def whole(self, text: str, finish_reason: str, n: int) -> dict[str, Any]:
        """See ``Shape``."""
        return self._head(self.whole_object) | {
            "choices": [
                {"index": index, "text": text, "logprobs": None, "finish_reason": finish_reason}
                for index in range(n)
            ]
        }

    def opening(self, index: int) -> bytes | None:  # noqa: ARG002 - the API has no such event
        """See ``Shape``."""
        return None

    def delta(self, index: int) -> tuple[bytes, bytes]:
        """See ``Shape``."""
        return self._around({"index": index, "text": "\0", "finish_reason": None})

    def closing(self, index: int, finish_reason: str) -> bytes:
        """See ``Shape``."""
        return self._event([{"index": index, "text": "", "finish_reason": finish_reason}])
