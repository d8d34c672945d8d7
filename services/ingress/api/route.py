"""A route that is fast on the wire and described in ``/openapi.json`` all the same."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.ingress.api.answers import on_bug, on_penstock_error
from services.ingress.api.schemas.common import ErrorBody
from shared.errors import PenstockError

Endpoint = Callable[[Request], Awaitable[Response]]

WAIT: Mapping[str, Any] = {
    "name": "wait",
    "in": "query",
    "description": "Seconds to wait for the job's end before answering.",
    "schema": {"type": "number", "minimum": 0},
    "example": 10,
}
JOB_ID: Mapping[str, Any] = {
    "name": "job_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "example": "job_0198c1f2a5b47c3d8e9f001122334455",
}
CANCEL_AFTER: Mapping[str, Any] = {
    "name": "Cancel-After",
    "in": "header",
    "description": (
        "Seconds from now, an HTTP date or ISO 8601: what is not done by then is not worth doing. What has "
        "not been started makes no provider call."
    ),
    "schema": {"type": "string"},
    "example": "30",
}
_STATUSES = {
    400: "The request does not have the shape that is described here.",
    401: "No API key, or an unknown one.",
    403: "The key is no operator's.",
    404: "No such object.",
    409: "The object is in a state that does not allow this.",
    410: "What the object held is erased.",
    413: "The body is too large.",
    422: "A value cannot be used.",
    429: "Too much waits, or the provider asks to wait; see Retry-After.",
    502: "The provider did not give a usable answer.",
    503: "A server that this request needs does not answer; see Retry-After.",
    504: "No answer in time.",
}


class RawRoute(APIRoute):
    """Takes a request and returns a response; FastAPI only describes it.

    FastAPI's own handling of parameters and models costs more than the rest of a call through the broker.
    """

    def __init__(self, path: str, endpoint: Endpoint, **description: Any) -> None:
        super().__init__(path, endpoint, **description)
        self.app = _served(endpoint)


def _served(endpoint: Endpoint) -> ASGIApp:
    """Answer with what the endpoint returns, or with the error that it raises."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            answer = await endpoint(request)
        except PenstockError as error:
            answer = await on_penstock_error(request, error)
        except Exception as bug:
            await (await on_bug(request, bug))(scope, receive, send)
            raise
        await answer(scope, receive, send)

    return serve


def route(
    method: str,
    path: str,
    endpoint: Endpoint,
    *,
    summary: str,
    description: str = "",
    tag: str,
    status: int = 200,
    answer: type[BaseModel] | None = None,
    takes: type[BaseModel] | None = None,
    takes_text: Sequence[str] = (),
    takes_type: str = "application/json",
    body_required: bool = True,
    parameters: Sequence[Mapping[str, Any]] = (),
    errors: Sequence[int] = (),
    error_shape: type[BaseModel] = ErrorBody,
    content: Mapping[str, Any] | None = None,
    responses: Mapping[int, Mapping[str, Any]] | None = None,
) -> RawRoute:
    """Describe and build one route.

    Args:
        method: HTTP method.
        path: As FastAPI spells it.
        endpoint: Does the work; raises errors of ``shared.errors``.
        summary: One line for the page of documentation.
        description: More lines, Markdown.
        tag: Group on that page.
        status: Of the usual answer.
        answer: Shape of that answer.
        takes: Shape of the request's body; ``/openapi.json`` gets it as a component.
        takes_text: Other media types of that body, which no schema describes.
        takes_type: Media type of that body.
        body_required: Whether it must be there.
        parameters: In the path, the query or the headers, as OpenAPI spells them.
        errors: Statuses with the error shape.
        error_shape: The error shape of the path.
        content: Further media types of the usual answer.
        responses: Further answers.
    """
    extra: dict[str, Any] = {"parameters": [dict(parameter) for parameter in parameters]}
    if takes is not None:
        schema = {"$ref": f"#/components/schemas/{takes.__name__}"}
        bodies: dict[str, Any] = {takes_type: {"schema": schema}}
        bodies.update({kind: {"schema": {"type": "string"}} for kind in takes_text})
        extra["requestBody"] = {"required": body_required, "content": bodies}
    described: dict[int | str, dict[str, Any]] = {
        code: {"model": error_shape, "description": _STATUSES[code]} for code in errors
    }
    described.update({code: dict(text) for code, text in (responses or {}).items()})
    if content is not None:
        described[status] = {"content": dict(content)}
    return RawRoute(
        path,
        endpoint,
        methods=[method],
        name=summary,
        operation_id=f"{method}_{path}".lower().translate(_TO_NAME).strip("_"),
        summary=summary,
        description=description or summary,
        tags=[tag],
        status_code=status,
        response_model=answer,
        responses=described,
        openapi_extra=extra,
    )


_TO_NAME = str.maketrans({"/": "_", "{": "", "}": "", ":": "_", ".": "_"})
