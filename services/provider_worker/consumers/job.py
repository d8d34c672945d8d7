"""One delivery of one job while it is handled."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.provider_worker.adapters.claims import HeldClaim
from shared.contracts.jobs import JobRequested
from shared.messaging.broker import Delivery


@dataclass(slots=True)
class Job:
    """What the steps of handling a job share."""

    request: JobRequested
    delivery: Delivery
    claim: HeldClaim | None = None
    """Of a background job, once it is granted."""
    start_id: UUID | None = None
    """Set when a provider call begins."""
    started_at: datetime | None = None
    deltas: int = 0
    """JobDelta messages sent."""

    @property
    def reply_to(self) -> str | None:
        """Who waits for the answer."""
        return self.delivery.message.reply_to

    @property
    def ambiguous_attempts(self) -> int:
        """Earlier deliveries, each of which may have reached a provider before it was lost."""
        return self.delivery.attempt - 1
