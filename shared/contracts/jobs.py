"""The messages in the life of a job, in the order in which they are sent."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.contracts.base import Contract


class Operation(StrEnum):
    """What a job asks of a provider; one queue family each."""

    CHAT = "chat"
    COMPLETION = "completion"
    EMBEDDING = "embedding"
    IMAGE = "image"


class Lane(StrEnum):
    """Priority class of a job; workers take lanes by weight."""

    INTERACTIVE = "interactive"
    STANDARD = "standard"
    BATCH = "batch"


class JobStatus(StrEnum):
    """Where a job is; everything from COMPLETED on is final, and only its caller can have it retried."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    INCOMPLETE = "incomplete"
    """A stream broke after its first bytes; the result holds what arrived."""

    @property
    def final(self) -> bool:
        """Whether nothing but a retry that its caller asks for can change it any more."""
        return self not in (JobStatus.QUEUED, JobStatus.IN_PROGRESS)


class Usage(BaseModel):
    """What a call consumed, as the provider reported it."""

    model_config = ConfigDict(frozen=True)

    input_tokens: int = Field(default=0, ge=0)
    """Prompt tokens, cached ones included."""
    output_tokens: int = Field(default=0, ge=0)
    cached_tokens: int = Field(default=0, ge=0)
    """Prompt tokens that the provider read from its cache."""
    cost_microusd: int | None = Field(default=None, ge=0)
    """Millionths of a US dollar; None where no price is known, which is not the same as free."""


class Failure(BaseModel):
    """Why a job has no result, in the words that the caller gets."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    kind: str = "server_error"
    param: str | None = None
    http_status: int = 500
    retry_after_s: float | None = None


class JobRequested(Contract):
    """Ingress (or the outbox sweep) asks for one provider call; provider_worker consumes it.

    ``body`` is the caller's OpenAI body, nothing dropped.
    """

    message_type: ClassVar[str] = "job.requested.v1"

    job_id: UUID
    tenant_id: UUID
    request_id: str
    operation: Operation
    lane: Lane
    model: str = Field(min_length=1, examples=["fast", "openai/gpt-4o-mini"])
    """As the caller wrote it: an alias or ``provider/model``."""
    stream: bool = False
    background: bool = False
    """A row of ``jobs`` exists and nobody waits on a connection: announce start, deltas, deferral."""
    deadline_at: AwareDatetime
    created_at: AwareDatetime
    attempt: int = Field(default=1, ge=1)
    """Counts planned tries of the job; a redelivery is the same attempt again."""
    max_attempts: int = Field(default=1, ge=1)
    publication: int = Field(default=1, ge=1)
    """Counts how often the attempt was put on the broker on purpose; a higher one supersedes."""
    body_ref: str | None = None
    """Where the body is in the object store when it is too large for a message."""


class JobStarted(Contract):
    """A worker is about to call the provider for a background job."""

    message_type: ClassVar[str] = "job.started.v1"

    job_id: UUID
    tenant_id: UUID
    attempt: int
    start_id: UUID
    """Distinguishes two starts of one attempt: the earlier one is then ambiguous."""
    worker: str
    started_at: AwareDatetime


class JobsHeld(Contract):
    """A worker still has these background jobs, running or prefetched; sent every few seconds."""

    message_type: ClassVar[str] = "jobs.held.v1"

    worker: str
    job_ids: tuple[UUID, ...]
    held_at: AwareDatetime


class JobDelta(Contract):
    """Streamed chunks: to the waiting ingress as a reply, to results for a background job.

    ``body`` is one JSON chunk of the OpenAI stream per line, without ``data:``.
    """

    message_type: ClassVar[str] = "job.delta.v1"

    job_id: UUID
    tenant_id: UUID
    start_id: UUID
    sequence: int = Field(ge=0)
    """Number of this message within its start, from 0; a gap means that one was lost."""


class JobDeferred(Contract):
    """An attempt of a background job failed and another one is worth trying later."""

    message_type: ClassVar[str] = "job.deferred.v1"

    job_id: UUID
    tenant_id: UUID
    attempt: int
    start_id: UUID
    retry_at: AwareDatetime
    failure: Failure
    provider: str | None = None
    usage: Usage = Usage()


class JobFinished(Contract):
    """A job has its end: the reply to the waiting ingress and, the same bytes, the record for results.

    ``body`` is the provider's answer in the OpenAI shape; empty when ``failure`` is set, except for
    INCOMPLETE, where it holds what had arrived. For a stream it is the assembled whole answer.
    """

    message_type: ClassVar[str] = "job.finished.v1"

    job_id: UUID
    tenant_id: UUID
    request_id: str
    operation: Operation
    lane: Lane
    model: str
    status: JobStatus
    background: bool
    attempt: int
    start_id: UUID | None = None
    """None when no provider call was begun."""
    ambiguous_attempts: int = 0
    """Earlier deliveries of this attempt that may have reached the provider too."""
    deltas: int = 0
    """How many JobDelta messages this start sent before; the reader of a stream waits for them all."""
    provider: str | None = None
    provider_model: str | None = None
    usage: Usage = Usage()
    failure: Failure | None = None
    created_at: AwareDatetime
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime
    body_ref: str | None = None


class JobCancelRequested(Contract):
    """Broadcast: whoever runs the job stops it; whoever gets it from a queue drops it."""

    message_type: ClassVar[str] = "job.cancel.v1"

    job_id: UUID
    tenant_id: UUID
    attempt: int | None = None
    """The newest attempt that is meant: its caller may have the job retried since. None means any."""


JOBS_A_BROADCAST = 150
"""As many ids as fit into a broadcast of 7,000 bytes, at 43 bytes each and with room to spare."""


class JobsCancelRequested(Contract):
    """Broadcast: the same for many jobs at once."""

    message_type: ClassVar[str] = "jobs.cancel.v1"

    attempts: dict[UUID, int] = Field(max_length=JOBS_A_BROADCAST)
    """For each job the newest attempt that is meant."""


class JobsChanged(Contract):
    """Broadcast: these jobs have new events or a new status; a waiter reads the database."""

    message_type: ClassVar[str] = "jobs.changed.v1"

    job_ids: tuple[UUID, ...] = Field(max_length=JOBS_A_BROADCAST)
