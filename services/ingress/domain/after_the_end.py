"""Which jobs may be cancelled, retried and erased, and why another one may not."""

from services.ingress.domain.job import Job
from shared.contracts.jobs import JobStatus
from shared.errors import ConflictError, PenstockError

RETRYABLE = (JobStatus.FAILED, JobStatus.INCOMPLETE, JobStatus.EXPIRED, JobStatus.CANCELLED)
RETRIED_UNASKED = (JobStatus.FAILED, JobStatus.INCOMPLETE, JobStatus.EXPIRED)
"""What a bulk retry takes that names no status: nobody wanted those to end so."""


class JobFinalError(ConflictError):
    """The job has its end already."""

    code = "job_final"


class JobOpenError(ConflictError):
    """The job does not have its end yet."""

    code = "job_open"


class JobNotRetryableError(ConflictError):
    """The job cannot be tried again."""

    code = "job_not_retryable"


class JobErasedError(PenstockError):
    """The bodies and events of the job are erased."""

    code = "result_expired"
    kind = "invalid_request_error"
    http_status = 410


def why_not_cancelled(job: Job) -> PenstockError | None:
    """Say why a job cannot be cancelled; None if it can."""
    return JobFinalError(f"The job is {job.status} already.") if job.status.final else None


def why_not_retried(job: Job) -> PenstockError | None:
    """Say why a job cannot be retried; None if it can."""
    if not job.status.final:
        return JobOpenError(f"The job is {job.status}; only one that has ended can be retried.")
    if job.status not in RETRYABLE:
        return JobNotRetryableError(f"The job is {job.status}; there is nothing to retry.")
    if not job.background:
        return JobNotRetryableError("The record of a synchronous call has no request to repeat.")
    if job.erased_at is not None:
        return JobNotRetryableError("The request of the job is erased.")
    return None
