"""The routes of jobs."""

from collections.abc import Iterator

from services.ingress.api.events import EventEndpoint
from services.ingress.api.idempotency import PARAMETER as IDEMPOTENCY_KEY
from services.ingress.api.job_batch import JobBatchEndpoint
from services.ingress.api.jobs import JobEndpoints
from services.ingress.api.route import CANCEL_AFTER, JOB_ID, WAIT, RawRoute, route
from services.ingress.api.schemas.jobs import (
    JobBatchObject,
    JobBatchSubmission,
    JobList,
    JobObject,
    JobSubmission,
)
from services.ingress.domain.batch_lines import LINES_TYPES
from shared.contracts.jobs import JobStatus, Lane, Operation

_JOBS = "Jobs"


def job_routes(
    endpoints: JobEndpoints, events: EventEndpoint, batches: JobBatchEndpoint
) -> Iterator[RawRoute]:
    """Describe the routes of jobs."""
    yield route(
        "POST",
        "/v1/jobs",
        endpoints.submit,
        summary="Submit a job",
        description="Answers when the job is durable. It then reaches exactly one final status.",
        tag=_JOBS,
        status=202,
        answer=JobObject,
        takes=JobSubmission,
        parameters=(IDEMPOTENCY_KEY, CANCEL_AFTER),
        errors=(400, 401, 404, 409, 413, 422, 429, 503),
    )
    yield route(
        "POST",
        "/v1/jobs/batch",
        batches,
        summary="Submit many jobs",
        description=(
            "Up to 10,000 jobs as JSON, or one a line as `application/x-ndjson`. Each is checked as by "
            "`POST /v1/jobs`; those that are right are committed together, all or none, and the others are "
            "listed under `errors` by their index, counted from 0. Answers 422 with the same lists when none "
            "is right."
        ),
        tag=_JOBS,
        status=202,
        answer=JobBatchObject,
        takes=JobBatchSubmission,
        takes_text=LINES_TYPES,
        parameters=(IDEMPOTENCY_KEY, CANCEL_AFTER),
        errors=(400, 401, 409, 413, 422, 429, 503),
    )
    yield route(
        "GET",
        "/v1/jobs",
        endpoints.list,
        summary="List jobs, newest first",
        tag=_JOBS,
        answer=JobList,
        parameters=tuple(_filters()),
        errors=(401, 422, 503),
    )
    yield route(
        "GET",
        "/v1/jobs/{job_id}",
        endpoints.get,
        summary="Show a job",
        tag=_JOBS,
        answer=JobObject,
        parameters=(JOB_ID, WAIT),
        errors=(401, 404, 422, 503),
    )
    yield route(
        "GET",
        "/v1/jobs/{job_id}/result",
        endpoints.result,
        summary="Fetch a job's result",
        description=(
            "Answers as the synchronous route would have, errors and their status included; for an "
            "incomplete job the error has a `partial` beside it. 409 with Retry-After while there is none."
        ),
        tag=_JOBS,
        parameters=(JOB_ID, WAIT),
        errors=(401, 404, 409, 410, 422, 429, 502, 503, 504),
    )
    yield _event_route(events)


def _event_route(events: EventEndpoint) -> RawRoute:
    resume = {"description": "Only events after this sequence.", "schema": {"type": "integer"}, "example": 1}
    return route(
        "GET",
        "/v1/jobs/{job_id}/events",
        events,
        summary="Follow a job",
        description=(
            "Server-sent events; `id` is the sequence, `event` is `job.<status>`, `job.delta` or "
            "`job.retrying`. Ends after the final one; then 204, which tells an EventSource to stop."
        ),
        tag=_JOBS,
        parameters=(
            JOB_ID,
            {"name": "after", "in": "query", **resume},
            {"name": "Last-Event-ID", "in": "header", **resume},
        ),
        errors=(401, 404, 410, 422, 503),
        content={"text/event-stream": {"schema": {"type": "string"}}},
        responses={204: {"description": "Nothing follows."}},
    )


def _filters() -> Iterator[dict[str, object]]:
    text = {"type": "string"}
    for name, description, schema in (
        ("limit", "Jobs on the page.", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
        ("after", "The `last_id` of the page before.", text),
        ("status", f"One or more of {', '.join(JobStatus)}, with commas between.", text),
        ("operation", "What the job asks.", {"type": "string", "enum": list(Operation)}),
        ("model", "As the caller named it.", text),
        ("lane", "Where it waited.", {"type": "string", "enum": list(Lane)}),
        ("background", "False for the records of synchronous calls.", {"type": "boolean"}),
        ("batch_id", "Only the jobs of this batch.", text),
        ("created_after", "Unix seconds or ISO 8601; this moment included.", text),
        ("created_before", "Unix seconds or ISO 8601; this moment excluded.", text),
    ):
        yield {"name": name, "in": "query", "description": description, "schema": schema}
