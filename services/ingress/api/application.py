"""The ASGI application: layers, routes, errors."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from services.ingress.api.answers import on_bug, on_http_exception, on_penstock_error
from services.ingress.api.dispatch import Dispatch
from services.ingress.api.envelope import Envelope
from services.ingress.api.gate import Authenticate, Gate
from services.ingress.api.openapi import describe
from shared.errors import PenstockError


class Api(FastAPI):
    """FastAPI with our document."""

    def openapi(self) -> dict[str, Any]:
        """Describe the routes."""
        return self._document

    @cached_property
    def _document(self) -> dict[str, Any]:
        return describe(self.routes)


def make_application(routes: Iterable[BaseRoute], authenticate: Authenticate) -> ASGIApp:
    """Put the layers together: ids and figures outermost, then keys, then the routes."""
    api = Api(
        docs_url=None,
        redoc_url=None,
        # A redirect would be made of the Host header, which the caller writes.
        redirect_slashes=False,
        # Spans are the envelope's; to ask OpenTelemetry three times a request costs 8 % of the CPU.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        exception_handlers={
            PenstockError: on_penstock_error,
            HTTPException: on_http_exception,
            Exception: on_bug,
        },
    )
    api.router.routes.extend(routes)
    return Envelope(Gate(Dispatch(api, api.router.routes), authenticate))
