"""Shapes of an operator's view of queues and dead letters."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.contracts.jobs import JobStatus, Lane, Operation


class QueueRate(BaseModel):
    """Messages a second, over the last `window_s` seconds."""

    in_per_s: float | None = Field(description="New work that callers submitted.")
    out_per_s: float | None = Field(description="What workers handled.")
    window_s: int


class QueueObject(BaseModel):
    """A queue as it is now."""

    name: str = Field(examples=["jobs.chat.standard.v1"])
    operation: Operation | None = Field(description="Null for a queue that holds no jobs.")
    lane: Lane | None
    state: Literal["running", "paused", "draining", "drained"] = Field(
        description="`drained`: it takes no new work, nothing waits and nothing is in flight."
    )
    paused: bool = Field(description="Nothing is delivered to any consumer.")
    draining: bool = Field(description="Submissions for it are refused with 503 `queue_draining`.")
    depth: int = Field(description="Messages that wait for a consumer.")
    in_flight: int | None = Field(description="Messages that a consumer holds.")
    consumers: int = Field(description="Subscriptions on it, in all processes.")
    rate: QueueRate
    oldest_age_s: float | None = Field(description="How long the oldest has waited; null when none waits.")
    dead_letters: int
    unknown: dict[str, str] = Field(description="For each figure that is not known, why.")


class PurgeOrder(BaseModel):
    """Body of a purge."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"confirm": "jobs.chat.batch.v1"}]}
    )

    confirm: str = Field(description="The name of the queue once more, in full.")


class PurgeResult(BaseModel):
    """What a purge took away."""

    purged: int = Field(description="Messages.")
    cancelled: int = Field(description="Background jobs that were cancelled by it.")
    calls: int = Field(description="Synchronous calls that were answered with 503 `queue_purged`.")
    unreadable: int
    more: bool = Field(description="Whether to repeat it: one request takes at most 10,000.")


class DeadLetterObject(BaseModel):
    """A message that was given up."""

    id: str
    queue: str
    type: str = Field(examples=["job.requested.v1"])
    job_id: str | None
    reason: str = Field(examples=["given up after 5 deliveries"])
    attempts: int
    died_at: str = Field(description="ISO 8601.")
    age_s: float
    body_bytes: int
    body_excerpt: str = Field(description="The beginning of the body.")


class DeadLetterSelection(BaseModel):
    """Body of a replay or a discard: which dead letters. Several conditions all have to hold."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"reason": "given up", "older_than_s": 3600}, {"all": True}]},
    )

    ids: list[Annotated[str, StringConstraints(max_length=64)]] | None = Field(default=None, max_length=1000)
    reason: str | None = Field(
        default=None, min_length=1, max_length=200, description="A part of the reason, in any case."
    )
    older_than_s: float | None = Field(
        default=None, ge=0, le=10**9, allow_inf_nan=False, description="Seconds since it died."
    )
    all: bool = Field(default=False, strict=True, description="Every one; says that none was forgotten.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        chosen = self.ids is not None or self.reason is not None or self.older_than_s is not None
        if chosen == self.all:
            raise ValueError("say which: by ids, reason or older_than_s, or all of them")
        return self


class StayingLetterObject(BaseModel):
    """A dead letter that was not put back."""

    id: str
    job_id: str
    job_status: JobStatus | None
    why: str = Field(examples=["its job is failed; retry the job instead"])


class ReplayResult(BaseModel):
    """What a replay put back."""

    replayed: int
    staying: list[StayingLetterObject] = Field(
        description="The first 100 of those whose job has its end: a call for them would be for nobody."
    )
    staying_count: int
    more: bool = Field(description="Whether to repeat it: one request does at most 1,000.")


class DiscardResult(BaseModel):
    """What a discard deleted."""

    discarded: int
    more: bool = Field(description="Whether to repeat it: one request does at most 1,000.")
