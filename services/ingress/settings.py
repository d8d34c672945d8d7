"""What ingress reads beside the settings of every service."""

from pydantic import Field

from shared.config.settings import Section, ServiceSettings


class IngressSection(Section):
    """Limits of the HTTP API, e.g. ``PENSTOCK_INGRESS__MAX_BODY_BYTES=1048576``."""

    max_body_bytes: int = Field(default=20 * 1024 * 1024, ge=1)
    """A longer request body is answered with 413."""
    body_timeout_s: float = Field(default=60.0, gt=0)
    """How long a caller may take to send its body; then 408."""
    sync_timeout_s: float = Field(default=600.0, gt=0)
    """How long a synchronous call may take; then 504."""
    max_wait_s: float = Field(default=60.0, ge=0)
    """Upper bound of a long-poll's ``wait``; a longer one is shortened to it."""
    job_deadline_s: float = Field(default=86_400.0, gt=0)
    """Deadline of a background job that names none."""
    max_job_deadline_s: float = Field(default=7 * 86_400.0, gt=0)
    """Furthest deadline that a background job may ask for."""
    job_attempts: int = Field(default=3, ge=1, le=100)
    """Tries of a background job that names no ``max_attempts``."""
    max_job_attempts: int = Field(default=10, ge=1, le=100)
    submissions_waiting: int = Field(default=2_000, ge=1)
    """Background jobs that may wait for their commit; one more is answered with 503."""
    submissions_batch: int = Field(default=200, ge=1)
    """Background jobs that share a commit at most."""
    publications_waiting: int = Field(default=1_000, ge=1)
    """Committed jobs that may wait for the broker; one more is left to the outbox sweep."""
    key_cache_s: float = Field(default=30.0, ge=0)
    """How long a checked API key is believed; a revoked key stops working after at most this."""
    key_stale_s: float = Field(default=300.0, ge=0)
    """How long a key that was checked before keeps working while PostgreSQL is down."""
    key_cache_size: int = Field(default=10_000, ge=1)
    keep_alive_s: float = Field(default=15.0, gt=0)
    """Pause between the comments that keep a silent event stream open."""
    public_url: str | None = Field(default=None, pattern=r"^https?://[^\s]+[^/\s]$")
    """What callers put before ``/v1``; makes the ``urls`` of a job absolute."""
    max_webhook_endpoints: int = Field(default=100, ge=1)
    """Webhook endpoints of one tenant; one more is answered with 409."""


class IngressSettings(ServiceSettings):
    """Everything that ingress reads."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8080, ge=0, le=65535)
    """``PENSTOCK_PORT``; 0 takes a free one and logs it."""
    ingress: IngressSection = IngressSection()
