"""When to try again."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from shared.contracts.jobs import JobRequested
from shared.errors import PenstockError

_LONGEST_S = 300.0


def retry_at(
    request: JobRequested,
    error: PenstockError,
    *,
    now: datetime,
    jitter: Callable[[], float] = random.random,
) -> datetime | None:
    """Plan the next attempt of a background job.

    The wait is what the provider asked for, otherwise 1 s doubled with every attempt (at most 5 min)
    with full jitter. Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

    Returns:
        None when another attempt is no use: the error says so, the attempts are used up, nobody waits
        for a record, or the deadline comes first.
    """
    if not (request.background and error.retryable and request.attempt < request.max_attempts):
        return None
    wait_s = error.retry_after_s
    if wait_s is None:
        wait_s = min(_LONGEST_S, 2.0 ** (request.attempt - 1)) * jitter()
    if wait_s >= (request.deadline_at - now).total_seconds():
        return None
    return now + timedelta(seconds=wait_s)
