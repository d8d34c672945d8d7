"""Settings of the scheduler, under ``scheduler`` (``PENSTOCK_SCHEDULER__...``)."""

from pydantic import Field

from shared.config.settings import Section, ServiceSettings


class DueSettings(Section):
    """How often what is looked after."""

    leadership_interval_s: float = Field(default=1.0, gt=0)
    """How often a scheduler that does not lead tries to; a dead leader is replaced after about that."""
    outbox_interval_s: float = Field(default=0.25, gt=0)
    outbox_batch: int = Field(default=500, ge=1, le=5000)
    outbox_retry_s: float = Field(default=2.0, gt=0)
    """How long a job whose publish failed waits for the next try."""
    silent_interval_s: float = Field(default=10.0, gt=0)
    silent_after_s: float = Field(default=60.0, gt=0)
    """A published job that no worker has mentioned for so long is lost, unless its queue has a backlog."""
    silent_grace_s: float = Field(default=10.0, ge=0)
    """How long workers may take to mention what they took: two of their heartbeats."""
    deadline_interval_s: float = Field(default=0.5, gt=0)
    deadline_grace_s: float = Field(default=1.0, ge=0)
    """How long after the deadline a worker's own word still counts."""
    backlog_interval_s: float = Field(default=1.0, gt=0, le=2)
    """How often the backlog is estimated; ingress forgets an estimate after five seconds."""
    retention_interval_s: float = Field(default=3600.0, gt=0)
    retention_days: int = Field(default=30, ge=1)
    """How many whole days jobs and their bodies are kept."""
    days_ahead: int = Field(default=7, ge=1, le=60)
    """For how many days partitions exist in advance."""


class SchedulerSettings(ServiceSettings):
    """What the scheduler reads."""

    scheduler: DueSettings = DueSettings()
