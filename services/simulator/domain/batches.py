"""Batches of the simulated provider: what there is, how far each is, and what its files say."""

import time
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

Status = Literal["in_progress", "completed", "cancelled"]


class BatchBehaviour(BaseModel):
    """How batches run that are created from now on; also what ``PUT /simulator/batches`` takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delay_s: float = Field(default=0.0, ge=0)
    """From the creation to the end."""
    share: float = Field(default=1.0, ge=0, le=1)
    """Part of the requests that is answered; with less than all of them only a cancellation ends a batch."""
    create_delay_s: float = Field(default=0.0, ge=0)
    """A batch is there so long before its creator is told."""
    status: int | None = Field(default=None, ge=400, le=599)
    """Answer every call of files and batches with this error instead."""


@dataclass(slots=True, kw_only=True)
class SimulatedBatch:
    """One batch."""

    id: str
    created_at: float
    endpoint: str
    input_file_id: str
    metadata: dict[str, str]
    requests: list[dict[str, Any]]
    behaviour: BatchBehaviour
    status: Status = "in_progress"
    output: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)

    @property
    def to_answer(self) -> list[dict[str, Any]]:
        """The requests that are answered."""
        return self.requests[: round(self.behaviour.share * len(self.requests))]

    def add(self, custom_id: str, status: int, body: Any) -> None:
        """Write an answer down."""
        response = {"status_code": status, "request_id": f"req_{self.id}", "body": body}
        line = {"id": f"batch_req_{custom_id}", "custom_id": custom_id, "response": response, "error": None}
        (self.output if status < 400 else self.errors).append(line)

    def cancel(self) -> None:
        """End it with what there is."""
        if self.status != "in_progress":
            return
        self.status = "cancelled"
        done = {line["custom_id"] for line in (*self.output, *self.errors)}
        error = {"code": "batch_cancelled", "message": "The batch was cancelled."}
        self.errors += [
            {"id": "batch_req", "custom_id": request["custom_id"], "response": None, "error": error}
            for request in self.requests
            if request["custom_id"] not in done
        ]

    def render(self) -> dict[str, Any]:
        """Spell it as the API does."""
        ended = self.status != "in_progress"
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "input_file_id": self.input_file_id,
            "completion_window": "24h",
            "status": self.status,
            "output_file_id": f"file-{self.id}-output" if ended and self.output else None,
            "error_file_id": f"file-{self.id}-error" if ended and self.errors else None,
            "created_at": int(self.created_at),
            "request_counts": {
                "total": len(self.requests),
                "completed": len(self.output),
                "failed": len(self.errors),
            },
            "metadata": self.metadata,
        }


class BatchShelf:
    """Files and batches, in memory."""

    def __init__(self) -> None:
        self.behaviour = BatchBehaviour()
        self._numbers = count(1)
        self._files: dict[str, bytes] = {}
        self._batches: dict[str, SimulatedBatch] = {}

    def put(self, content: bytes) -> str:
        """Keep a file; returns its id."""
        file_id = f"file-{next(self._numbers)}"
        self._files[file_id] = content
        return file_id

    def file(self, file_id: str) -> bytes | None:
        """Return a file that was put, or that a batch has written."""
        for batch in self._batches.values():
            shown = batch.render()
            for name, lines in (("output_file_id", batch.output), ("error_file_id", batch.errors)):
                if shown[name] == file_id:
                    return b"".join(orjson.dumps(line) + b"\n" for line in lines)
        return self._files.get(file_id)

    def create(self, *, endpoint: str, input_file_id: str, metadata: dict[str, str]) -> SimulatedBatch:
        """Begin a batch; its input has been put."""
        requests = [orjson.loads(line) for line in self._files[input_file_id].splitlines() if line]
        batch = SimulatedBatch(
            id=f"batch_{next(self._numbers)}",
            created_at=time.time(),
            endpoint=endpoint,
            input_file_id=input_file_id,
            metadata=metadata,
            requests=requests,
            behaviour=self.behaviour,
        )
        self._batches[batch.id] = batch
        return batch

    def batch(self, batch_id: str) -> SimulatedBatch | None:
        """Find a batch."""
        return self._batches.get(batch_id)

    def newest(self) -> list[SimulatedBatch]:
        """List the batches, the newest first."""
        return list(self._batches.values())[::-1]
