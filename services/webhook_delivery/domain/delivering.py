"""Makes one delivery, from the look whether it may be sent to the record of what became of it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import structlog

from services.webhook_delivery import metrics
from services.webhook_delivery.domain.delivery import Attempt, DueDelivery, Outcome
from services.webhook_delivery.domain.judgement import Judgement, not_sendable
from services.webhook_delivery.domain.limits import TargetLimits
from shared.contracts.ids import public_id

_log = structlog.get_logger(__name__)


class Sender(Protocol):
    """Sends requests."""

    async def attempt(self, delivery: DueDelivery) -> Attempt:
        """Make one request; whatever the receiver does is an attempt, not an error."""


class Recorder(Protocol):
    """Records outcomes."""

    async def record(self, outcome: Outcome) -> None:
        """Return when it is recorded, however long that takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivering:
    """The handler of the dispatcher."""

    sender: Sender
    judgement: Judgement
    recorder: Recorder
    limits: TargetLimits

    async def __call__(self, delivery: DueDelivery) -> None:
        """Deliver; safe to repeat, under the same ``webhook-id``."""
        outcome = not_sendable(delivery) or await self._sent(delivery)
        metrics.ATTEMPTS.labels(outcome.verdict.value).inc()
        if outcome.error is not None:
            metrics.ERRORS.labels(outcome.error.value).inc()
            _log.info(
                "webhook not delivered",
                delivery_id=public_id("whd", delivery.id),
                event_type=delivery.event_type,
                error=outcome.error.value,
                status=None if outcome.attempt is None else outcome.attempt.status,
                verdict=outcome.verdict.value,
            )
        await self.recorder.record(outcome)

    async def _sent(self, delivery: DueDelivery) -> Outcome:
        attempt = await self.sender.attempt(delivery)
        self.limits.answered(delivery.target, well=attempt.status is not None)
        metrics.SECONDS.observe(attempt.duration_s)
        if not delivery.attempts:
            metrics.LATENCY.observe((datetime.now(UTC) - delivery.created_at).total_seconds())
        return self.judgement.of(delivery, attempt)
