"""Settings of the scheduler, under ``scheduler`` (``PENSTOCK_SCHEDULER__...``) and ``batches``."""

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
    max_publications: int = Field(default=10, ge=1)
    """How often an attempt is put on the broker, all in all; then it is left to its deadline."""
    deadline_interval_s: float = Field(default=0.5, gt=0)
    deadline_grace_s: float = Field(default=1.0, ge=0)
    """How long after the deadline a worker's own word still counts."""
    backlog_interval_s: float = Field(default=1.0, gt=0, le=2)
    """How often the backlog is estimated; ingress forgets an estimate after five seconds."""
    retention_interval_s: float = Field(default=3600.0, gt=0)
    retention_days: int = Field(default=30, ge=1)
    """How many whole days jobs and their bodies are kept."""
    idempotency_hours: int = Field(default=24, ge=24)
    """How many hours an ``Idempotency-Key`` is remembered at least; what it created may be kept longer."""
    idempotency_interval_s: float = Field(default=600.0, gt=0)
    files_interval_s: float = Field(default=30.0, gt=0)
    """How often files that are deleted or whose time is over are removed."""
    upload_silent_s: float = Field(default=3600.0, gt=0)
    """A file whose writer has not been heard of for so long will not be finished."""
    erasure_interval_s: float = Field(default=2.0, gt=0)
    erasure_batch: int = Field(default=200, ge=1, le=5000)
    """Jobs whose contents are erased in one transaction."""
    days_ahead: int = Field(default=7, ge=1, le=60)
    """For how many days partitions exist in advance."""


class BatchSettings(Section):
    """Batches of the OpenAI API, ``PENSTOCK_BATCHES__...``."""

    interval_s: float = Field(default=0.25, gt=0)
    """How often batches are looked after while there is no hurry."""
    max_requests: int = Field(default=50_000, ge=1)
    """Requests in one batch."""
    open_jobs: int = Field(default=4_000, ge=20)
    """Jobs of one batch that may wait or run at a time."""
    all_open_jobs: int = Field(default=16_000, ge=20)
    """The same of all batches; tenants share it equally, and the batches of a tenant its share."""
    ahead_s: float = Field(default=5.0, gt=0)
    """How long the jobs of one batch that wait should last at the pace at which they are done."""
    waiting_jobs: int = Field(default=100, ge=1)
    """Jobs of one batch that may wait at any pace."""
    open_bytes: int = Field(default=64 * 1024 * 1024, ge=1)
    """What the requests of one batch that wait or run may weigh, by the mean of those before."""
    chunk: int = Field(default=500, ge=1, le=5000)
    """Requests that are put in, or written down, in one transaction."""
    chunk_bytes: int = Field(default=1024 * 1024, ge=1024)
    """Bytes that are read or written at once; more only where one request or answer is longer."""
    max_line_bytes: int = Field(default=20 * 1024 * 1024, ge=1024)
    """Of the input: a longer request is a mistake."""
    attempts: int = Field(default=3, ge=1, le=100)
    """Tries of each request."""
    provider_ask_s: float = Field(default=60.0, gt=0)
    """How long a worker has to submit, look at, or fetch from a batch of a provider."""
    output_s: float = Field(default=30 * 86_400.0, gt=0)
    """How long output files are kept whose batch does not say."""


class SchedulerSettings(ServiceSettings):
    """What the scheduler reads."""

    scheduler: DueSettings = DueSettings()
    batches: BatchSettings = BatchSettings()
