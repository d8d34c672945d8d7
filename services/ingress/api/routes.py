"""Every route of the API, with its description."""

from collections.abc import Iterator

from pydantic import BaseModel

from services.ingress.api.docs import DocsPage
from services.ingress.api.events import EventEndpoint
from services.ingress.api.health import HealthEndpoints
from services.ingress.api.inference import InferenceEndpoints
from services.ingress.api.jobs import JobEndpoints
from services.ingress.api.models import ModelEndpoints
from services.ingress.api.route import JOB_ID, WAIT, RawRoute, route
from services.ingress.api.schemas import inference as shapes
from services.ingress.api.schemas.common import Health, Model, ModelList
from services.ingress.api.schemas.jobs import JobList, JobObject, JobSubmission
from shared.contracts.jobs import JobStatus, Operation

_PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "`respond-async`: as a background job. `respond-async, wait=N`: wait N seconds before.",
    "schema": {"type": "string"},
    "example": "respond-async, wait=10",
}
_SYNC_ERRORS = (400, 401, 404, 413, 422, 429, 502, 503, 504)
_ACCEPTED = {202: {"model": JobObject, "description": "With `Prefer: respond-async`: the accepted job."}}
_INFERENCE = "Inference"
_JOBS = "Jobs"


def inference_routes(endpoints: InferenceEndpoints) -> Iterator[RawRoute]:
    """Describe the OpenAI routes that call a model."""
    kinds: tuple[tuple[str, str, Operation, type[BaseModel], type[BaseModel]], ...] = (
        (
            "/v1/chat/completions",
            "Chat with a model",
            Operation.CHAT,
            shapes.ChatCompletionRequest,
            shapes.ChatCompletion,
        ),
        (
            "/v1/completions",
            "Complete a text",
            Operation.COMPLETION,
            shapes.CompletionRequest,
            shapes.Completion,
        ),
        (
            "/v1/embeddings",
            "Embed texts",
            Operation.EMBEDDING,
            shapes.EmbeddingRequest,
            shapes.EmbeddingList,
        ),
        ("/v1/images/generations", "Make images", Operation.IMAGE, shapes.ImageRequest, shapes.Images),
    )
    for path, summary, operation, takes, answer in kinds:
        streamed = operation in (Operation.CHAT, Operation.COMPLETION)
        yield route(
            "POST",
            path,
            endpoints.of(operation),
            summary=summary,
            description=f"{summary}. Fields that are not listed here reach the provider untouched.",
            tag=_INFERENCE,
            answer=answer,
            takes=takes,
            parameters=(_PREFER,),
            errors=_SYNC_ERRORS,
            content={"text/event-stream": {"schema": {"type": "string"}}} if streamed else None,
            responses=_ACCEPTED,
        )


def model_routes(endpoints: ModelEndpoints) -> Iterator[RawRoute]:
    """Describe the routes of models."""
    yield route(
        "GET",
        "/v1/models",
        endpoints.list,
        summary="List models",
        tag="Models",
        answer=ModelList,
        errors=(401, 503),
    )
    name = {"name": "model_id", "in": "path", "required": True, "schema": {"type": "string"}}
    yield route(
        "GET",
        "/v1/models/{model_id:path}",
        endpoints.get,
        summary="Show a model",
        tag="Models",
        answer=Model,
        parameters=({**name, "example": "simulator/echo"},),
        errors=(401, 404, 503),
    )


def job_routes(endpoints: JobEndpoints, events: EventEndpoint) -> Iterator[RawRoute]:
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
        errors=(400, 401, 404, 413, 422, 503),
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
        errors=(401, 404, 409, 422, 429, 502, 503, 504),
    )
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
        errors=(401, 404, 422, 503),
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
        ("background", "False for the records of synchronous calls.", {"type": "boolean"}),
        ("created_after", "Unix seconds or ISO 8601; this moment included.", text),
        ("created_before", "Unix seconds or ISO 8601; this moment excluded.", text),
    ):
        yield {"name": name, "in": "query", "description": description, "schema": schema}


def plain_routes(health: HealthEndpoints, docs: DocsPage) -> Iterator[RawRoute]:
    """Describe what needs no key."""
    unavailable = {503: {"model": Health, "description": "A dependency that is needed does not answer."}}
    yield route("GET", "/health/live", health.live, summary="Is the process alive?", tag="Health")
    for path in ("/health/ready", "/healthcheck"):
        yield route(
            "GET",
            path,
            health.ready,
            summary="Can it do its work?",
            tag="Health",
            answer=Health,
            responses=unavailable,
        )
    yield RawRoute("/docs", docs, methods=["GET"], include_in_schema=False)
