"""The routes of batches."""

from collections.abc import Iterator

from services.ingress.api.batches import BatchEndpoints
from services.ingress.api.idempotency import PARAMETER as IDEMPOTENCY_KEY
from services.ingress.api.route import RawRoute, route
from services.ingress.api.schemas.batches import BatchList, BatchObject, BatchSubmission

_BATCHES = "Batches"
_ID = {
    "name": "batch_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "example": "batch_0198c1f2a5b47c3d8e9f001122334455",
}


def batch_routes(endpoints: BatchEndpoints) -> Iterator[RawRoute]:
    """Describe the routes of batches."""
    yield route(
        "POST",
        "/v1/batches",
        endpoints.create,
        summary="Create a batch",
        description=(
            "Runs every line of an uploaded file as a job on the batch lane. Answers when the batch is "
            "durable; its input is checked afterwards."
        ),
        tag=_BATCHES,
        answer=BatchObject,
        takes=BatchSubmission,
        parameters=(IDEMPOTENCY_KEY,),
        errors=(400, 401, 404, 413, 422, 503),
    )
    yield route(
        "GET",
        "/v1/batches",
        endpoints.list,
        summary="List batches, newest first",
        tag=_BATCHES,
        answer=BatchList,
        parameters=(
            {
                "name": "limit",
                "in": "query",
                "description": "Batches on the page.",
                "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
            },
            {
                "name": "after",
                "in": "query",
                "description": "The `last_id` of the page before.",
                "schema": {"type": "string"},
            },
        ),
        errors=(401, 422, 503),
    )
    yield route(
        "GET",
        "/v1/batches/{batch_id}",
        endpoints.get,
        summary="Show a batch",
        tag=_BATCHES,
        answer=BatchObject,
        parameters=(_ID,),
        errors=(401, 404, 503),
    )
    yield route(
        "POST",
        "/v1/batches/{batch_id}/cancel",
        endpoints.cancel,
        summary="Cancel a batch",
        description="Its open jobs are cancelled; its files have what is done by then. 409 after its end.",
        tag=_BATCHES,
        answer=BatchObject,
        parameters=(_ID,),
        errors=(401, 404, 409, 503),
    )
