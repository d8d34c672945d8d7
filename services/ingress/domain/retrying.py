"""What ``POST /v1/jobs/{id}/retry`` takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.ingress.domain.checks import expect
from services.ingress.domain.job_times import JobLimits, read_deadline
from shared.errors import UnprocessableRequestError

RETRY_FIELDS = {"max_attempts", "deadline"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryTerms:
    """How jobs are retried."""

    more_attempts: int | None
    """Tries from now on; None leaves what the job has left, at least one."""
    deadline_at: datetime | None
    """None: the one that the job had, if it is later than ``default_deadline_at``."""
    default_deadline_at: datetime


def read_terms(fields: Mapping[str, Any], limits: JobLimits, now: datetime) -> RetryTerms:
    """Read the members that say how.

    Raises:
        InvalidRequestError: With the field at fault.
    """
    attempts = fields.get("max_attempts")
    if attempts is not None:
        expect(attempts, "an integer", "max_attempts")
        if not 1 <= attempts <= limits.max_attempts:
            raise UnprocessableRequestError(
                f"'max_attempts' must be from 1 to {limits.max_attempts}.", param="max_attempts"
            )
    deadline = fields.get("deadline")
    return RetryTerms(
        more_attempts=attempts,
        deadline_at=None if deadline is None else read_deadline(deadline, limits, now),
        default_deadline_at=now + timedelta(seconds=min(limits.deadline_s, limits.max_deadline_s)),
    )
