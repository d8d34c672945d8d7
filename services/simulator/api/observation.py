"""What there is and what happened: ``/v1/models``, ``/simulator/calls`` and ``/simulator/spans``."""

from aiohttp import web

from services.simulator.api import embeddings, text
from services.simulator.api.errors import ApiError
from services.simulator.domain.calls import CallLedger

MODELS = (*text.MODELS, *embeddings.MODELS, "image")
CREATED = 1_767_225_600
"""When the models came to be: 2026-01-01, UTC."""


def _card(name: str) -> dict[str, str | int]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "simulator"}


class ObservationRoutes:
    """The routes that call no model."""

    def __init__(self, ledger: CallLedger) -> None:
        self._ledger = ledger

    async def models(self, _: web.Request) -> web.Response:
        """``GET /v1/models``."""
        return web.json_response({"object": "list", "data": [_card(name) for name in MODELS]})

    async def model(self, request: web.Request) -> web.Response:
        """``GET /v1/models/{name}``."""
        name = request.match_info["name"].removeprefix("simulator/")
        if name not in MODELS:
            raise ApiError(404, f"The model {name[:80]!r} does not exist here.", code="model_not_found")
        return web.json_response(_card(name))

    async def calls(self, request: web.Request) -> web.Response:
        """``GET /simulator/calls?key=``: of one key, or the sums over all without ``key``."""
        key = request.query.get("key")
        if key is None:
            return web.json_response(self._ledger.total())
        return web.json_response({"key": key} | self._ledger.of(key))

    async def spans(self, _: web.Request) -> web.Response:
        """``GET /simulator/spans``: when the calls of each key began and ended, in seconds since 1970."""
        return web.json_response(self._ledger.spans())

    async def forget_calls(self, _: web.Request) -> web.Response:
        """``DELETE /simulator/calls``."""
        self._ledger.forget()
        return web.Response(status=204)
