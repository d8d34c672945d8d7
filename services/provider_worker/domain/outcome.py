"""How one attempt of a job ended."""

from dataclasses import dataclass, field

from shared.contracts.jobs import JobStatus, Usage
from shared.errors import DeadlineExceededError, JobCancelledError, PenstockError


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of an attempt, before anybody is told."""

    status: JobStatus
    body: bytes = b""
    """The answer; for INCOMPLETE what had arrived."""
    error: PenstockError | None = None
    provider: str | None = None
    provider_model: str | None = None
    usage: Usage = field(default_factory=Usage)


def failed(error: PenstockError) -> Outcome:
    """End without a provider's answer."""
    return Outcome(status=JobStatus.FAILED, error=error)


def cancelled() -> Outcome:
    """End because nobody wants the answer any more."""
    error = JobCancelledError("The job was cancelled.")
    return Outcome(status=JobStatus.CANCELLED, error=error)


def expired() -> Outcome:
    """End because the deadline has passed."""
    error = DeadlineExceededError("The deadline passed before there was an answer.")
    return Outcome(status=JobStatus.EXPIRED, error=error)
