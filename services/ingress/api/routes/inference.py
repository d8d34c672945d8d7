"""The OpenAI routes that call a model."""

from collections.abc import Iterator

from pydantic import BaseModel

from services.ingress.api.idempotency import PARAMETER as IDEMPOTENCY_KEY
from services.ingress.api.inference import InferenceEndpoints
from services.ingress.api.route import CANCEL_AFTER, RawRoute, route
from services.ingress.api.schemas import inference as shapes
from services.ingress.api.schemas.jobs import JobObject
from shared.contracts.jobs import Operation

_PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "`respond-async`: as a background job. `respond-async, wait=N`: wait N seconds before.",
    "schema": {"type": "string"},
    "example": "respond-async, wait=10",
}
_SYNC_ERRORS = (400, 401, 404, 409, 413, 422, 429, 502, 503, 504)
_ACCEPTED = {202: {"model": JobObject, "description": "With `Prefer: respond-async`: the accepted job."}}


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
            tag="Inference",
            answer=answer,
            takes=takes,
            parameters=(_PREFER, IDEMPOTENCY_KEY, CANCEL_AFTER),
            errors=_SYNC_ERRORS,
            content={"text/event-stream": {"schema": {"type": "string"}}} if streamed else None,
            responses=_ACCEPTED,
        )
