"""Shapes of batches."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.batches import BatchStatus


class ExpiresAfter(BaseModel):
    """When a batch's output files go."""

    anchor: Literal["created_at"]
    seconds: int = Field(ge=3600, le=2_592_000)


class BatchSubmission(BaseModel):
    """Body of ``POST /v1/batches``."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "input_file_id": "file-0198c1f2a5b47c3d8e9f001122334455",
                    "endpoint": "/v1/chat/completions",
                    "completion_window": "24h",
                    "metadata": {"night": "1"},
                }
            ]
        },
    )

    input_file_id: str = Field(examples=["file-0198c1f2a5b47c3d8e9f001122334455"])
    endpoint: Literal["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/images/generations"]
    completion_window: str = Field(
        description="`24h` as at OpenAI, or any number of seconds, minutes, hours or days: `90s`, `2d`.",
        examples=["24h"],
    )
    metadata: dict[str, str] | None = Field(default=None, description="Yours; at most 16 pairs.")
    output_expires_after: ExpiresAfter | None = None


class BatchError(BaseModel):
    """One thing that is wrong with the input."""

    code: str = Field(examples=["duplicate_custom_id"])
    line: int | None
    message: str
    param: str | None


class BatchErrors(BaseModel):
    """What is wrong with the input."""

    object: Literal["list"] = "list"
    data: list[BatchError]


class BatchCounts(BaseModel):
    """How far a batch is; what expired or was cancelled counts as failed."""

    total: int
    completed: int
    failed: int


class BatchObject(BaseModel):
    """A batch. Times are Unix seconds."""

    id: str = Field(examples=["batch_0198c1f2a5b47c3d8e9f001122334455"])
    object: Literal["batch"] = "batch"
    endpoint: str
    model: str | None
    errors: BatchErrors | None
    input_file_id: str
    completion_window: str
    status: BatchStatus
    output_file_id: str | None = Field(description="Null until the end, and if nothing succeeded.")
    error_file_id: str | None = Field(description="Null until the end, and if nothing failed.")
    created_at: int
    in_progress_at: int | None
    expires_at: int
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: BatchCounts
    usage: dict[str, Any] | None = Field(description="Tokens of all requests; null until the end.")
    metadata: dict[str, str] | None


class BatchList(BaseModel):
    """One page of batches, newest first."""

    object: Literal["list"] = "list"
    data: list[BatchObject]
    first_id: str | None
    last_id: str | None = Field(description="The next page's `after`.")
    has_more: bool
