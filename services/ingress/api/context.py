"""What is known about the request under way."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

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
    given: Mapping[bytes, bytes]
    """What the caller sent, names in lower case; of a header that comes several times, the last."""
    principal: Principal | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Go on the answer, errors included."""

    def tell_job(self, job_id: UUID, lane: Lane | str) -> None:
        """Name the job on the answer."""
        self.headers.append((b"x-job-id", public_id(PREFIX, job_id).encode()))
        self.headers.append((b"x-penstock-lane", lane.encode()))


def new_context(scope: Scope) -> RequestContext:
    """Begin a request: take over the caller's id where it is sane."""
    given = dict(scope["headers"])
    wanted = given.get(b"x-request-id")
    if wanted is not None and _SANE_ID.fullmatch(wanted):
        request_id = wanted.decode()
    else:
        request_id = f"req_{secrets.token_hex(16)}"
    context = RequestContext(request_id, given)
    context.headers.append((b"x-request-id", request_id.encode()))
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
