"""A batch as the scheduler works on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.contracts.batches import ENDPOINTS, BatchStatus
from shared.contracts.jobs import Failure, JobStatus, Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One row that has not its end, and what its jobs are doing."""

    id: UUID
    tenant_id: UUID
    revision: int
    status: BatchStatus
    endpoint: str
    model: str | None
    input_file_id: UUID
    output_file_id: UUID | None
    error_file_id: UUID | None
    output_expires_s: int | None
    traceparent: str | None
    expires_at: datetime
    total: int
    inserted: int
    """Requests, from the first on, that are jobs or will never be."""
    input_offset: int
    """Bytes of the input that they take."""
    gathered: int
    """Requests, from the first on, whose outcome is in a file."""
    completed: int
    expired: int
    open: int
    """Jobs that have not their end."""
    waiting: int
    """Those of them that no worker has begun."""
    first_open: int | None
    """The earliest request whose job has not its end."""

    @property
    def operation(self) -> Operation:
        """What its jobs ask."""
        return ENDPOINTS[self.endpoint]

    @property
    def left(self) -> int:
        """Requests that are no jobs yet."""
        return self.total - self.inserted

    @property
    def ended(self) -> int:
        """The last request before which, itself included, all jobs have their end."""
        return self.inserted if self.first_open is None else self.first_open - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedJob:
    """A job of a batch that has its end."""

    job_id: UUID
    line: int
    custom_id: str
    request_id: str
    status: JobStatus
    result: str | None
    result_ref: str | None
    failure: Failure | None
    input_tokens: int
    output_tokens: int
    cached_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatchJob:
    """A request of a batch on its way to becoming a job."""

    job_id: UUID
    line: int
    metadata: Mapping[str, Any]
    body: bytes
    body_ref: str | None
