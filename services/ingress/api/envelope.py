"""Around every request: its ids in and out, its trace, its figures, one line of log."""

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from services.ingress.api.context import RequestContext, new_context
from services.ingress.api.metrics import IN_FLIGHT, latency_of, request_counter
from shared.observability.tracing import Attributes, span

_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))


class Envelope:
    """The outermost layer, so that answers of every other layer carry the ids.

    The server runs each request as a task of its own, so what is bound to the context ends with it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        # Bound once: a module's logger is put together anew for every line, also for one that is not written.
        self._log = structlog.get_logger().bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = new_context(scope)
        bind_contextvars(request_id=context.request_id)
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
            with span(
                f"HTTP {scope['method']}",
                parent=_parent(context),
                kind="server",
                attributes=_attributes(scope),
            ):
                await self._app(scope, receive, send_with_ids)
        finally:
            IN_FLIGHT.dec()
            self._record(scope, status, time.perf_counter() - begun)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        # Only known words become labels: a caller must not be able to grow the metrics.
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        request_counter(method, route, status).inc()
        latency_of(route).observe(seconds)
        self._log.debug("answered", method=method, route=route, status=status, seconds=seconds)


def _parent(context: RequestContext) -> dict[str, str]:
    traceparent = context.given.get(b"traceparent")
    return {} if traceparent is None else {"traceparent": traceparent.decode("latin-1")}


def _attributes(scope: Scope) -> Attributes:
    return {"http.request.method": scope["method"], "url.path": scope["path"]}
