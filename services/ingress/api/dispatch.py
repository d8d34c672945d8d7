"""Which route serves a request: one look-up for a path without parameters, FastAPI for the rest."""

from collections.abc import Iterable, Mapping

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from services.ingress.api.route import RawRoute


class Dispatch:
    """Spares a call the layers of FastAPI, which our routes use for their description only.

    Args:
        rest: Serves paths with parameters, and answers where there is nothing.
        routes: All of them.
    """

    def __init__(self, rest: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._rest = rest
        self._exact: Mapping[tuple[str, str], RawRoute] = {
            (method, route.path): route
            for route in routes
            if isinstance(route, RawRoute) and not route.param_convertors
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        route = self._exact.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self._rest(scope, receive, send)
            return
        scope["route"] = route
        await route.app(scope, receive, send)
