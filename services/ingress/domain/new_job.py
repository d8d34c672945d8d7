"""A background job as a caller submits it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.ingress.domain.idempotency import KeyUse
from services.ingress.domain.job_webhook import JobWebhook
from shared.contracts.jobs import JobRequested, Lane, Operation


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An idempotency key, and what the same request is to be answered later."""

    use: KeyUse
    status: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """Everything that the commit writes and the first publication sends."""

    job_id: UUID
    tenant_id: UUID
    request_id: str
    operation: Operation
    lane: Lane
    model: str
    stream: bool
    metadata: Mapping[str, Any]
    body: bytes
    body_ref: str | None
    """Where the body is; ``body`` is then empty."""
    created_at: datetime
    deadline_at: datetime
    max_attempts: int
    headers: Mapping[str, str]
    """The ``traceparent``, if any."""
    run_at: datetime | None = None
    """Published by the outbox sweep when it comes; None is at once."""
    webhook: JobWebhook | None = None
    kept: KeptAnswer | None = None
    """Committed with the job, if the key is still free."""
    retention_s: int | None = None

    def request(self) -> JobRequested:
        """Spell its first publication."""
        return JobRequested(
            job_id=self.job_id,
            tenant_id=self.tenant_id,
            request_id=self.request_id,
            operation=self.operation,
            lane=self.lane,
            model=self.model,
            stream=self.stream,
            background=True,
            deadline_at=self.deadline_at,
            created_at=self.created_at,
            max_attempts=self.max_attempts,
            body=self.body,
            body_ref=self.body_ref,
        )
