"""What is known about the request under way."""

import re
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID, uuid4

from starlette.requests import Request
from starlette.types import Scope

from services.ingress.domain.job import PREFIX
from services.ingress.domain.principal import Principal
from shared.contracts.ids import public_id
from shared.contracts.jobs import Lane
from shared.errors import AuthenticationError

_SANE_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


@dataclass(slots=True)
class RequestContext:
    """Filled on the way in, turned into headers on the way out."""

    request_id: str
    traceparent: str | None = None
    principal: Principal | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Go on the answer, errors included."""

    def tell_job(self, job_id: UUID, lane: Lane | str) -> None:
        """Name the job on the answer."""
        self.headers.append((b"x-job-id", public_id(PREFIX, job_id).encode()))
        self.headers.append((b"x-penstock-lane", lane.encode()))


def new_context(scope: Scope) -> RequestContext:
    """Begin a request: take over the caller's ids where they are sane."""
    request_id = traceparent = None
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            request_id = value.decode()
        elif name == b"traceparent":
            traceparent = value.decode("latin-1")
    context = RequestContext(request_id or f"req_{uuid4().hex}", traceparent)
    context.headers.append((b"x-request-id", context.request_id.encode()))
    scope.setdefault("state", {})["context"] = context
    return context


def context_of(scope: Scope) -> RequestContext:
    """Return what :func:`new_context` began."""
    return cast("RequestContext", scope["state"]["context"])


def principal_of(request: Request) -> Principal:
    """Return who calls; the gate before ``/v1`` has put it there."""
    principal = context_of(request.scope).principal
    if principal is None:
        raise AuthenticationError("No API key provided.")
    return principal
