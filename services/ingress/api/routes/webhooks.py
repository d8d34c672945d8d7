"""The routes of webhook endpoints and of the secret for webhooks of single jobs."""

from collections.abc import Iterator

from services.ingress.api.idempotency import PARAMETER as IDEMPOTENCY_KEY
from services.ingress.api.route import RawRoute, route
from services.ingress.api.schemas import webhooks as shapes
from services.ingress.api.webhook_endpoints import WebhookEndpoints
from services.ingress.api.webhook_job_secret import WebhookJobSecretEndpoints

_TAG = "Webhooks"
_PATH = "/v1/webhook_endpoints"
_ONE = f"{_PATH}/{{endpoint_id}}"
ENDPOINT_ID = {
    "name": "endpoint_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "example": "we_0198c1f2a5b47c3d8e9f001122334455",
}
_LIMIT = {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
PAGE = (
    {"name": "limit", "in": "query", "description": "Objects on the page.", "schema": _LIMIT},
    {
        "name": "after",
        "in": "query",
        "description": "The `last_id` of the page before.",
        "schema": {"type": "string"},
    },
)


def webhook_endpoint_routes(endpoints: WebhookEndpoints) -> Iterator[RawRoute]:
    """Describe the routes of webhook endpoints."""
    yield route(
        "POST",
        _PATH,
        endpoints.create,
        summary="Create a webhook endpoint",
        description="The answer has the secret that verifies deliveries; it is shown this once.",
        tag=_TAG,
        status=201,
        answer=shapes.WebhookEndpointWithSecret,
        takes=shapes.WebhookEndpointCreation,
        parameters=(IDEMPOTENCY_KEY,),
        errors=(400, 401, 409, 413, 422, 503),
    )
    yield route(
        "GET",
        _PATH,
        endpoints.list,
        summary="List webhook endpoints, newest first",
        tag=_TAG,
        answer=shapes.WebhookEndpointList,
        parameters=PAGE,
        errors=(401, 422, 503),
    )
    yield route(
        "GET",
        _ONE,
        endpoints.get,
        summary="Show a webhook endpoint",
        tag=_TAG,
        answer=shapes.WebhookEndpointObject,
        parameters=(ENDPOINT_ID,),
        errors=(401, 404, 503),
    )
    for method in ("PATCH", "POST"):
        yield route(
            method,
            _ONE,
            endpoints.change,
            summary=f"Change a webhook endpoint ({method})",
            description="Only what is named changes. `enabled: true` also forgets its failures.",
            tag=_TAG,
            answer=shapes.WebhookEndpointObject,
            takes=shapes.WebhookEndpointChange,
            parameters=(ENDPOINT_ID,),
            errors=(400, 401, 404, 413, 422, 503),
        )
    yield route(
        "DELETE",
        _ONE,
        endpoints.delete,
        summary="Delete a webhook endpoint",
        description="What is still to be delivered to it fails.",
        tag=_TAG,
        answer=shapes.WebhookEndpointDeleted,
        parameters=(ENDPOINT_ID,),
        errors=(401, 404, 503),
    )
    yield route(
        "POST",
        f"{_ONE}/rotate-secret",
        endpoints.rotate_secret,
        summary="Make a new secret for a webhook endpoint",
        description="Each delivery carries a signature of every secret that is still good.",
        tag=_TAG,
        answer=shapes.WebhookEndpointWithSecret,
        takes=shapes.SecretRotation,
        body_required=False,
        parameters=(ENDPOINT_ID,),
        errors=(400, 401, 404, 413, 422, 503),
    )


def webhook_secret_routes(endpoints: WebhookJobSecretEndpoints) -> Iterator[RawRoute]:
    """Describe the routes of the secret for webhooks of single jobs."""
    yield route(
        "GET",
        "/v1/webhook_secret",
        endpoints.get,
        summary="Say since when there is a secret for webhooks of single jobs",
        tag=_TAG,
        answer=shapes.WebhookSecretObject,
        errors=(401, 503),
    )
    yield route(
        "POST",
        "/v1/webhook_secret/rotate",
        endpoints.rotate,
        summary="Make a new secret for webhooks of single jobs",
        description="The first one, too: what goes to the URL that a job names is signed with it.",
        tag=_TAG,
        answer=shapes.WebhookSecretMade,
        takes=shapes.SecretRotation,
        body_required=False,
        errors=(400, 401, 413, 422, 503),
    )
