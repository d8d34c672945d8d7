"""A delivery that is due, an attempt to make it, and what becomes of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DueDelivery:
    """One that this process has claimed."""

    id: UUID
    tenant_id: UUID
    target: UUID
    """What shares a limit: the endpoint, or a tenant's host."""
    endpoint_id: UUID | None
    """None: the URL that one job named."""
    url: str | None
    """None: the endpoint was deleted."""
    enabled: bool
    event_id: UUID
    event_type: str
    payload: bytes
    sealed_secrets: tuple[bytes, ...]
    failures: int
    """How many attempts of this round have failed."""
    claim: int
    created_at: datetime
    attempts: int
    """How many there have been in all."""


class Error(StrEnum):
    """Why an attempt failed, as a caller reads it."""

    HTTP_STATUS = "http_status"
    TIMEOUT = "timeout"
    CONNECTION_FAILED = "connection_failed"
    TLS_FAILED = "tls_failed"
    NAME_NOT_RESOLVED = "name_not_resolved"
    PROTOCOL_ERROR = "protocol_error"
    URL_NOT_ALLOWED = "url_not_allowed"
    SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105 - the name of an error
    ENDPOINT_DISABLED = "endpoint_disabled"
    ENDPOINT_DELETED = "endpoint_deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request, or what kept it from being made."""

    at: datetime
    duration_s: float
    status: int | None = None
    """Of the answer; None without one."""
    excerpt: str | None = None
    error: Error | None = None
    """None after a success."""
    retry_after_s: float | None = None
    """What the receiver asked for."""


class Verdict(StrEnum):
    """What becomes of a delivery."""

    DELIVERED = "delivered"
    RETRY = "retry"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is recorded of a delivery."""

    delivery: DueDelivery
    verdict: Verdict
    error: Error | None = None
    attempt: Attempt | None = None
    """None: it was not tried."""
    retry_in_s: float | None = None
    """Set with RETRY."""
    gone: bool = False
    """The receiver said that it will never take anything again."""
