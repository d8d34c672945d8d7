"""Which route serves a request: a look-up or two for nearly all, FastAPI for the rest."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from services.ingress.api.route import RawRoute

_Shape = tuple[str, str, int]
"""Method, the path up to the first parameter's place, and how many slashes it has."""


class Dispatch:
    """Spares a call the layers of FastAPI, which our routes use for their description only.

    Args:
        rest: Answers where there is nothing.
        routes: All of them; of those with parameters only ``/v1/<objects>/{...}...`` are looked up here.
    """

    def __init__(self, rest: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._rest = rest
        exact: dict[tuple[str, str], RawRoute] = {}
        shaped: dict[_Shape, list[RawRoute]] = defaultdict(list)
        for route in routes:
            if isinstance(route, RawRoute):
                for method in route.methods or ():
                    if route.param_convertors:
                        shaped[_shape(method, route.path)].append(route)
                    else:
                        exact[method, route.path] = route
        self._exact: Mapping[tuple[str, str], RawRoute] = exact
        self._shaped: Mapping[_Shape, Sequence[RawRoute]] = dict(shaped)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        route = self._find(scope) if scope["type"] == "http" else None
        if route is None:
            await self._rest(scope, receive, send)
            return
        scope["route"] = route
        await route.app(scope, receive, send)

    def _find(self, scope: Scope) -> RawRoute | None:
        method, path = scope["method"], scope["path"]
        route = self._exact.get((method, path))
        if route is not None:
            return route
        for route in self._shaped.get(_shape(method, path), ()):
            match = route.path_regex.match(path)
            if match is not None:
                scope["path_params"] = {
                    name: route.param_convertors[name].convert(text)
                    for name, text in match.groupdict().items()
                }
                return route
        return None


def _shape(method: str, path: str) -> _Shape:
    parts = path.split("/", 3)
    return method, "/".join(parts[:3]), path.count("/")
