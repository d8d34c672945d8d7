"""A batch as the API shows it. Source: the Batch object of the OpenAI API reference."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from shared.contracts.batches import BATCH_PREFIX, BatchStatus, public_file_id
from shared.contracts.ids import public_id

BATCH_COLUMNS = """b.id, b.status, b.endpoint, b.model, b.completion_window, b.input_file_id,
    b.output_file_id, b.error_file_id, b.metadata::text AS metadata, b.errors::text AS errors,
    b.created_at, b.expires_at, b.in_progress_at, b.finalizing_at, b.completed_at, b.failed_at, b.expired_at,
    b.cancelling_at, b.cancelled_at, b.total, b.input_tokens, b.output_tokens, b.cached_tokens,
    b.reasoning_tokens"""
"""Of ``batches b``: all but how many requests have come to their end, which who asks may count on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One row, and what its jobs have come to."""

    id: UUID
    status: BatchStatus
    endpoint: str
    model: str | None
    completion_window: str
    input_file_id: UUID
    output_file_id: UUID | None
    error_file_id: UUID | None
    metadata: Mapping[str, str] | None
    errors: object | None
    created_at: datetime
    expires_at: datetime
    in_progress_at: datetime | None
    finalizing_at: datetime | None
    completed_at: datetime | None
    failed_at: datetime | None
    expired_at: datetime | None
    cancelling_at: datetime | None
    cancelled_at: datetime | None
    total: int
    completed: int
    failed: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int

    def render(self) -> dict[str, Any]:
        """Spell the batch object; times are Unix seconds, the files are named when they are complete."""
        return {
            "id": public_id(BATCH_PREFIX, self.id),
            "object": "batch",
            "endpoint": self.endpoint,
            "model": self.model,
            "errors": None if self.errors is None else {"object": "list", "data": self.errors},
            "input_file_id": public_file_id(self.input_file_id),
            "completion_window": self.completion_window,
            "status": self.status,
            "output_file_id": self._file(self.output_file_id),
            "error_file_id": self._file(self.error_file_id),
            "created_at": _seconds(self.created_at),
            "in_progress_at": _seconds(self.in_progress_at),
            "expires_at": _seconds(self.expires_at),
            "finalizing_at": _seconds(self.finalizing_at),
            "completed_at": _seconds(self.completed_at),
            "failed_at": _seconds(self.failed_at),
            "expired_at": _seconds(self.expired_at),
            "cancelling_at": _seconds(self.cancelling_at),
            "cancelled_at": _seconds(self.cancelled_at),
            "request_counts": {"total": self.total, "completed": self.completed, "failed": self.failed},
            "usage": self._usage(),
            "metadata": self.metadata,
        }

    def _file(self, identifier: UUID | None) -> str | None:
        return public_file_id(identifier) if identifier and self.status.final else None

    def _usage(self) -> dict[str, Any] | None:
        if not self.status.final:
            return None
        return {
            "input_tokens": self.input_tokens,
            "input_tokens_details": {"cached_tokens": self.cached_tokens},
            "output_tokens": self.output_tokens,
            "output_tokens_details": {"reasoning_tokens": self.reasoning_tokens},
            "total_tokens": self.input_tokens + self.output_tokens,
        }


def batch_of(row: Mapping[str, Any]) -> Batch:
    """Read a row of :data:`BATCH_COLUMNS`, ``completed`` and ``failed``."""
    fields = dict(row.items())
    fields["status"] = BatchStatus(fields["status"])
    for name in ("metadata", "errors"):
        fields[name] = None if fields[name] is None else orjson.loads(fields[name])
    return Batch(**fields)


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
