"""``/openapi.json``: the routes, and what FastAPI cannot see of them: the bodies that they take, the keys."""

from typing import Any

from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

from services.ingress.api.schemas import webhooks
from services.ingress.api.schemas.inference import (
    ChatCompletionRequest,
    CompletionRequest,
    EmbeddingRequest,
    ImageRequest,
)
from services.ingress.api.schemas.jobs import JobSubmission
from shared import __version__

DESCRIPTION = (
    "A queue-driven AI gateway. The /v1 routes speak the OpenAI API; jobs run in the background and are "
    "never lost. Every answer carries X-Request-Id, and X-Job-Id where there is a job."
)
_TAKEN: tuple[type[BaseModel], ...] = (
    webhooks.WebhookEndpointCreation,
    webhooks.WebhookEndpointChange,
    webhooks.SecretRotation,
    webhooks.Redelivery,
    ChatCompletionRequest,
    CompletionRequest,
    EmbeddingRequest,
    ImageRequest,
    JobSubmission,
)


def describe(routes: list[BaseRoute]) -> dict[str, Any]:
    """Build the document."""
    document = get_openapi(title="Penstock", version=__version__, description=DESCRIPTION, routes=routes)
    _, shapes = models_json_schema(
        [(model, "validation") for model in _TAKEN], ref_template="#/components/schemas/{model}"
    )
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(shapes["$defs"])
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer sk-penstock-…"},
        "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    }
    for path, methods in document["paths"].items():
        if path.startswith("/v1/"):
            for operation in methods.values():
                operation["security"] = [{"bearer": []}, {"x-api-key": []}]
    return document
