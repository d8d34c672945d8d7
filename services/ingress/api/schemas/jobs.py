"""Shapes of background jobs."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.ingress.api.schemas.common import ErrorDetail
from services.ingress.domain.retention import MAX_RETENTION_S
from shared.contracts.jobs import JobStatus, Lane, Operation


class JobWebhookObject(BaseModel):
    """Whom to tell of a job's end."""

    url: str = Field(examples=["https://example.com/hooks/penstock"])
    events: list[str] | None = Field(
        default=None, description="`job.*`, `job.completed` and so on; null are all.", examples=[["job.*"]]
    )


class JobSubmission(BaseModel):
    """Body of ``POST /v1/jobs``."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "operation": "chat",
                    "input": {
                        "model": "simulator/echo",
                        "messages": [{"role": "user", "content": "Hello!"}],
                    },
                    "lane": "batch",
                    "deadline": 3600,
                    "metadata": {"order": "4711"},
                }
            ]
        },
    )

    operation: Operation
    input: dict[str, Any] = Field(description="The body that the operation's own route takes.")
    lane: Lane | None = Field(
        default=None, description="By default what a `service_tier`, here or in the input, says, or standard."
    )
    service_tier: Literal["auto", "default", "flex", "priority", "batch"] | None = Field(
        default=None, description="Another way to say the lane; reaches no provider, unlike the input's."
    )
    run_at: float | str | None = Field(
        default=None, description="Seconds from now, or ISO 8601 with an offset; not started before."
    )
    deadline: float | str | None = Field(
        default=None,
        description="Seconds from `run_at` or now, or ISO 8601 with an offset; then the job expires.",
    )
    metadata: dict[str, Any] | None = Field(default=None, description="Yours; at most 16 KiB of JSON.")
    max_attempts: int | None = Field(default=None, ge=1, description="Tries in all.")
    webhook: str | JobWebhookObject | None = Field(
        default=None, description="Whom to tell of the job's end: a URL, or one with a choice of events."
    )
    retention: int | None = Field(
        default=None,
        ge=1,
        le=MAX_RETENTION_S,
        description="Seconds from the job's end after which its request, result and events are erased.",
    )


class JobBatchSubmission(BaseModel):
    """Body of ``POST /v1/jobs/batch``."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "jobs": [
                        {
                            "operation": "embedding",
                            "input": {"model": "simulator/embedding", "input": text},
                            "lane": "batch",
                        }
                        for text in ("one", "two")
                    ]
                }
            ]
        },
    )

    jobs: list[JobSubmission] = Field(min_length=1, max_length=10_000)


class AcceptedOfBatch(BaseModel):
    """One job of a batch that was accepted."""

    index: int = Field(description="Place in the request, from 0.")
    id: str = Field(examples=["job_0198c1f2a5b47c3d8e9f001122334455"])
    status: Literal["queued"] = "queued"


class RefusedOfBatch(BaseModel):
    """One job of a batch that was not, and why."""

    index: int = Field(description="Place in the request, from 0.")
    error: ErrorDetail


class JobBatchObject(BaseModel):
    """What became of the jobs of one request."""

    object: Literal["job.batch"] = "job.batch"
    accepted: int
    failed: int
    jobs: list[AcceptedOfBatch]
    errors: list[RefusedOfBatch]


class JobUsage(BaseModel):
    """What a job consumed, all attempts together."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int
    total_tokens: int
    cost_microusd: int | None = Field(description="Millionths of a US dollar; null where no price is known.")


class JobUrls(BaseModel):
    """Where to go on."""

    self: str
    result: str
    events: str
    cancel: str
    retry: str


class JobPlace(BaseModel):
    """Where a job stands in the queue of its operation and lane; approximate."""

    position: int = Field(description="1 is next.")
    estimated_wait_s: float | None = Field(description="Null while the pace of the queue is not known.")


class JobObject(BaseModel):
    """A job. Times are Unix seconds."""

    id: str = Field(examples=["job_0198c1f2a5b47c3d8e9f001122334455"])
    object: Literal["job"] = "job"
    status: JobStatus
    operation: Operation
    model: str
    lane: Lane
    queue: JobPlace | None = Field(description="Null unless the job waits and its place is known.")
    batch_id: str | None = Field(description="The batch that it belongs to, if any.")
    background: bool = Field(description="False for the record of a synchronous call.")
    stream: bool
    created_at: int
    run_at: int | None = Field(description="Not started before; null is at once.")
    deadline_at: int
    started_at: int | None
    finished_at: int | None
    result_expires_at: int | None = Field(
        description="When request, result and events are erased, where `retention` says so."
    )
    erased_at: int | None = Field(description="When they were.")
    attempt: int
    max_attempts: int
    ambiguous_attempts: int = Field(
        description="Starts beyond one for each attempt: they may have reached the provider."
    )
    provider: str | None
    provider_model: str | None
    metadata: dict[str, Any]
    webhook: JobWebhookObject | None
    usage: JobUsage | None = Field(description="Null until the job has its end.")
    error: ErrorDetail | None
    last_event: int = Field(description="Sequence of the newest event.")
    urls: JobUrls


class JobList(BaseModel):
    """One page of jobs, newest first."""

    object: Literal["list"] = "list"
    data: list[JobObject]
    first_id: str | None
    last_id: str | None = Field(description="The next page's `after`.")
    has_more: bool
