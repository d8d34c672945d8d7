"""Shapes of an operator's view of workers."""

from pydantic import BaseModel, Field

from shared.contracts.jobs import Lane, Operation
from shared.contracts.operations import WorkerState


class WorkerJobObject(BaseModel):
    """A job that a worker runs."""

    id: str = Field(examples=["job_0198c1f2a5b47c3d8e9f001122334455"])
    tenant_id: str
    operation: Operation
    lane: Lane
    model: str
    background: bool
    attempt: int
    running_s: float = Field(description="For how long.")


class WorkerQueueObject(BaseModel):
    """A worker's part in one queue."""

    held: int = Field(description="Deliveries it has: running, and waiting in its memory.")
    handled_per_s: float


class WorkerObject(BaseModel):
    """A worker that has answered."""

    name: str = Field(examples=["provider_worker-host-4711"])
    version: str
    state: WorkerState
    started_at: str = Field(description="ISO 8601.")
    uptime_s: float
    concurrency: int = Field(description="Most jobs at a time.")
    running: int
    queues: dict[str, WorkerQueueObject]
    jobs: list[WorkerJobObject] = Field(description="Those that have run longest, at most 100.")
