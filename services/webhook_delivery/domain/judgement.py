"""Decides what becomes of a delivery after an attempt."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.webhook_delivery.domain.delivery import Attempt, DueDelivery, Error, Outcome, Verdict

_GONE = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The rules of retrying.

    Args:
        delays_s: The pause after the first failure, the second …; a delivery fails with its last attempt.
        jitter: Each pause is longer by up to this part of it.
        retry_after_limit_s: The longest pause that a receiver may ask for.
        chance: From 0 to 1.
    """

    delays_s: Sequence[float]
    jitter: float
    retry_after_limit_s: float
    chance: Callable[[], float] = random.random

    def of(self, delivery: DueDelivery, attempt: Attempt) -> Outcome:
        """Judge an attempt: 2xx is a success, 410 the end of the endpoint, everything else is tried again."""
        if attempt.error is None:
            return Outcome(delivery=delivery, verdict=Verdict.DELIVERED, attempt=attempt)
        gone = attempt.status == _GONE
        pause_s = None if gone else self._pause_s(delivery.failures, attempt.retry_after_s)
        return Outcome(
            delivery=delivery,
            verdict=Verdict.FAILED if pause_s is None else Verdict.RETRY,
            error=attempt.error,
            attempt=attempt,
            retry_in_s=pause_s,
            gone=gone,
        )

    def _pause_s(self, failures: int, retry_after_s: float | None) -> float | None:
        if failures >= len(self.delays_s):
            return None
        planned_s = self.delays_s[failures] * (1 + self.jitter * self.chance())
        return max(planned_s, min(retry_after_s or 0.0, self.retry_after_limit_s))


def not_sendable(delivery: DueDelivery) -> Outcome | None:
    """Say what becomes of a delivery whose endpoint takes none; None if it is to be sent."""
    if delivery.url is None:
        error = Error.ENDPOINT_DELETED
    elif not delivery.enabled:
        error = Error.ENDPOINT_DISABLED
    else:
        return None
    return Outcome(delivery=delivery, verdict=Verdict.FAILED, error=error)
