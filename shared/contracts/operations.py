"""What operators ask of the processes of a fleet, by broadcast, and what those answer.

Nothing is reported unless somebody asks, so looking costs a fleet nothing while nobody does.
"""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.contracts.base import Contract
from shared.contracts.jobs import Lane, Operation

JOBS_A_REPORT = 100
"""Most jobs that one report names: those that have run longest."""


class FleetAsked(Contract):
    """Broadcast: say how you are; whoever has something to say replies."""

    message_type: ClassVar[str] = "fleet.asked.v1"


class WorkerCommand(StrEnum):
    """What an operator can have a worker do."""

    DRAIN = "drain"
    """Take no new jobs, finish what runs, and stay so."""
    RESUME = "resume"


class WorkerCommanded(Contract):
    """Broadcast: one worker is to do this; it replies with its report."""

    message_type: ClassVar[str] = "worker.commanded.v1"

    worker: str
    command: WorkerCommand


class WorkerState(StrEnum):
    """Whether a worker takes jobs."""

    TAKING = "taking"
    DRAINING = "draining"
    """It takes no new jobs and has some to finish."""
    DRAINED = "drained"
    """It takes no new jobs and has none."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class WorkerJob(_Part):
    """A job that runs."""

    job_id: UUID
    tenant_id: UUID
    operation: Operation
    lane: Lane
    model: str
    background: bool
    attempt: int
    began_at: AwareDatetime


class WorkerQueue(_Part):
    """A worker's part in one queue."""

    held: int
    """Deliveries that it has not settled: running, and waiting in its memory."""
    handled_per_s: float
    """Over the last seconds."""


class WorkerReport(Contract):
    """Reply: one worker as it is now."""

    message_type: ClassVar[str] = "worker.report.v1"

    name: str
    version: str
    started_at: AwareDatetime
    state: WorkerState
    concurrency: int
    queues: dict[str, WorkerQueue]
    running: int
    """Jobs whose handler runs."""
    jobs: tuple[WorkerJob, ...]
    """The oldest of them, at most :data:`JOBS_A_REPORT`."""


class PublisherReport(Contract):
    """Reply: what one ingress puts on the queues."""

    message_type: ClassVar[str] = "publisher.report.v1"

    name: str
    published_per_s: dict[str, float]
    """By topic, over the last seconds."""


class QueuesChanged(Contract):
    """Broadcast: which queues take no new work has changed; an ingress reads the database."""

    message_type: ClassVar[str] = "queues.changed.v1"
