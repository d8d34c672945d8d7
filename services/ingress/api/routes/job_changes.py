"""The routes that change jobs."""

from collections.abc import Iterator

from services.ingress.api.idempotency import PARAMETER as IDEMPOTENCY_KEY
from services.ingress.api.job_changes import JobChangeEndpoints
from services.ingress.api.route import JOB_ID, RawRoute, route
from services.ingress.api.schemas.job_changes import BulkAction, BulkCancel, BulkRetry, RetryTerms
from services.ingress.api.schemas.jobs import JobObject

_JOBS = "Jobs"


def job_change_routes(endpoints: JobChangeEndpoints) -> Iterator[RawRoute]:
    """Describe the routes that change jobs."""
    yield route(
        "POST",
        "/v1/jobs/{job_id}/cancel",
        endpoints.cancel,
        summary="Cancel a job",
        description="409 when it has its end already.",
        tag=_JOBS,
        answer=JobObject,
        parameters=(JOB_ID,),
        errors=(401, 404, 409, 503),
    )
    yield route(
        "POST",
        "/v1/jobs/{job_id}/retry",
        endpoints.retry,
        summary="Retry a job",
        description=(
            "Queues a job that failed, expired, was cancelled or is incomplete again, as its next attempt: "
            "its id, its usage so far and its events stay, and new events follow. 409 for any other job."
        ),
        tag=_JOBS,
        answer=JobObject,
        takes=RetryTerms,
        body_required=False,
        parameters=(JOB_ID, IDEMPOTENCY_KEY),
        errors=(400, 401, 404, 409, 422, 503),
    )
    yield route(
        "DELETE",
        "/v1/jobs/{job_id}",
        endpoints.erase,
        summary="Erase a job's contents",
        description=(
            "Erases the request, the result, the events and the words of failures of a job that has its end. "
            "The job itself stays, with its figures and metadata. 409 while it is open."
        ),
        tag=_JOBS,
        answer=JobObject,
        parameters=(JOB_ID,),
        errors=(401, 404, 409, 503),
    )
    yield route(
        "POST",
        "/v1/jobs/cancel",
        endpoints.cancel_many,
        summary="Cancel many jobs",
        description="By their ids, or all open ones that a filter matches. Running calls are stopped.",
        tag=_JOBS,
        answer=BulkAction,
        takes=BulkCancel,
        errors=(400, 401, 413, 422, 503),
    )
    yield route(
        "POST",
        "/v1/jobs/retry",
        endpoints.retry_many,
        summary="Retry many jobs",
        description=(
            "By their ids, or all that a filter matches: those that failed, expired or are incomplete, and "
            "those that were cancelled where `filter.status` says so."
        ),
        tag=_JOBS,
        answer=BulkAction,
        takes=BulkRetry,
        errors=(400, 401, 413, 422, 503),
    )
