"""``/v1/models``: what can be named in a request."""

from starlette.requests import Request
from starlette.responses import Response

from services.ingress.api.answers import json_answer
from shared.config.catalog import ALIAS_OWNER, Catalog, ModelCard
from shared.errors import ModelNotFoundError

CREATED = 0
"""When a model was made is the provider's knowledge; OpenAI's clients want a number."""


class ModelEndpoints:
    """The list, and one of it."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def list(self, _: Request) -> Response:
        """List what configuration names."""
        return json_answer({"object": "list", "data": [_render(card) for card in self._catalog.models()]})

    async def get(self, request: Request) -> Response:
        """Show a model, also one that only its provider knows."""
        name = request.path_params["model_id"]
        if not name.isprintable() or len(name) > 256:
            raise ModelNotFoundError("The model does not exist.", param="model")
        for card in self._catalog.models():
            if card.id == name:
                return json_answer(_render(card))
        target = self._catalog.resolve(name)[0]
        owner = target.provider if name == f"{target.provider}/{target.model}" else ALIAS_OWNER
        return json_answer(_render(ModelCard(name, owner)))


def _render(card: ModelCard) -> dict[str, object]:
    return {"id": card.id, "object": "model", "created": CREATED, "owned_by": card.owned_by}
