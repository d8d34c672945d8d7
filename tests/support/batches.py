"""Inputs of batches, and waiting for their ends."""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import openai
from openai.types import Batch

ENDED = ("completed", "failed", "expired", "cancelled")
CHAT = "/v1/chat/completions"


def line(custom_id: str, *, url: str = CHAT, **body: Any) -> str:
    """Spell one request of a batch."""
    if url == CHAT:
        body = {"messages": [{"role": "user", "content": f"say {custom_id}"}], **body}
    whole = {"model": "simulator/echo", **body}
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": url, "body": whole})


def jsonl(lines: Iterable[str]) -> bytes:
    return "".join(f"{text}\n" for text in lines).encode()


def submit(client: openai.OpenAI, content: bytes, **fields: Any) -> Batch:
    """Upload an input and create its batch."""
    file = client.files.create(file=("input.jsonl", content), purpose="batch")
    wanted: Mapping[str, Any] = {"endpoint": CHAT, "completion_window": "24h", **fields}
    return client.batches.create(input_file_id=file.id, **wanted)


def ended(client: openai.OpenAI, batch_id: str, limit_s: float = 60.0) -> Batch:
    """Poll a batch until it has its end."""
    until = time.monotonic() + limit_s
    while (batch := client.batches.retrieve(batch_id)).status not in ENDED:
        assert time.monotonic() < until, f"still {batch.status}: {batch.request_counts}"
        time.sleep(0.05)
    return batch


def written(client: openai.OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    """Read an output or error file."""
    if file_id is None:
        return []
    return [json.loads(text) for text in client.files.content(file_id).text.splitlines()]
