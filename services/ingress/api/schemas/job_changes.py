"""Shapes of what changes jobs."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.ingress.domain.bulk import DEFAULT_JOBS, MAX_IDS, MAX_JOBS
from shared.contracts.jobs import JobStatus, Lane, Operation


class RetryTerms(BaseModel):
    """Body of ``POST /v1/jobs/{job_id}/retry``; may be left out."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"max_attempts": 3, "deadline": 3600}]}
    )

    max_attempts: int | None = Field(
        default=None, ge=1, description="Tries from now on; by default what the job has left, at least one."
    )
    deadline: float | str | None = Field(
        default=None,
        description=(
            "Seconds from now, or ISO 8601 with an offset. By default that of a new job, or the one that the "
            "job has if it is later."
        ),
    )


class JobConditions(BaseModel):
    """Which jobs; all conditions must hold, and none means every job."""

    model_config = ConfigDict(extra="forbid")

    status: JobStatus | list[JobStatus] | None = None
    operation: Operation | None = None
    model: str | None = None
    lane: Lane | None = None
    created_after: int | str | None = Field(
        default=None, description="Unix seconds or ISO 8601; this moment included."
    )
    created_before: int | str | None = Field(
        default=None, description="Unix seconds or ISO 8601; this moment excluded."
    )
    metadata: dict[str, Any] | None = Field(
        default=None, description="Members that the job's metadata must have."
    )


class BulkCancel(BaseModel):
    """Body of ``POST /v1/jobs/cancel``: either ``ids`` or ``filter``."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"filter": {"status": "queued", "lane": "batch"}, "dry_run": True}]},
    )

    ids: list[str] | None = Field(default=None, min_length=1, max_length=MAX_IDS)
    filter: JobConditions | None = None
    after: str | None = Field(
        default=None, description="With a filter: only older jobs than this one, the `last_id` of before."
    )
    limit: int = Field(
        default=DEFAULT_JOBS, ge=1, le=MAX_JOBS, description="With a filter: how many jobs at most."
    )
    dry_run: bool = Field(default=False, description="Only say which jobs it would be.")


class BulkRetry(BulkCancel, RetryTerms):
    """Body of ``POST /v1/jobs/retry``: either ``ids`` or ``filter``."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"filter": {"status": "failed", "metadata": {"order": "4711"}}}]},
    )


class BulkRefusal(BaseModel):
    """A job that was named and is not changed."""

    id: str
    code: str = Field(examples=["job_final"])
    message: str


class BulkAction(BaseModel):
    """What became of it."""

    object: Literal["job.bulk_action"] = "job.bulk_action"
    action: Literal["cancel", "retry"]
    dry_run: bool
    count: int = Field(description="Jobs that were changed; in a dry run, that would be.")
    job_ids: list[str]
    errors: list[BulkRefusal] = Field(description="With `ids`: those that are left, and why.")
    has_more: bool = Field(description="More jobs match; repeat with `after`.")
    last_id: str | None = Field(description="With a filter: the oldest job that was looked at.")
