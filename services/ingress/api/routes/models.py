"""The routes of models."""

from collections.abc import Iterator

from services.ingress.api.models import ModelEndpoints
from services.ingress.api.route import RawRoute, route
from services.ingress.api.schemas.common import Model, ModelList


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
