"""Around every request: its ids in and out, its trace, its figures, one line of log."""

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from services.ingress.api.context import RequestContext, new_context
from services.ingress.api.metrics import IN_FLIGHT, latency_of, request_counter
from shared.observability.tracing import Attributes, span

_log = structlog.get_logger()
_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))


class Envelope:
    """The outermost layer, so that answers of every other layer carry the ids."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = new_context(scope)
        begun = time.perf_counter()
        status = 499  # nothing is sent to a client that has gone

        async def send_with_ids(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *context.headers]
            await send(message)

        IN_FLIGHT.inc()
        try:
            await self._traced(context, scope, receive, send_with_ids)
        finally:
            IN_FLIGHT.dec()
            _record(scope, status, time.perf_counter() - begun)

    async def _traced(self, context: RequestContext, scope: Scope, receive: Receive, send: Send) -> None:
        parent = {} if context.traceparent is None else {"traceparent": context.traceparent}
        attributes: Attributes = {"http.request.method": scope["method"], "url.path": scope["path"]}
        with (
            bound_contextvars(request_id=context.request_id),
            span(f"HTTP {scope['method']}", parent=parent, kind="server", attributes=attributes),
        ):
            await self._app(scope, receive, send)


def _record(scope: Scope, status: int, seconds: float) -> None:
    # Only known words become labels: a caller must not be able to grow the metrics.
    route = getattr(scope.get("route"), "path", "unmatched")
    method = scope["method"] if scope["method"] in _METHODS else "other"
    request_counter(method, route, status).inc()
    latency_of(route).observe(seconds)
    _log.debug("answered", method=method, route=route, status=status, seconds=round(seconds, 4))
