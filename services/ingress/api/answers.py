"""JSON answers, errors included: in the OpenAI shape, or in the envelope of the management API."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shared.contracts.jobs import Failure
from shared.errors import MethodNotAllowedError, NotFoundError, PenstockError
from shared.http.errors import error_headers_of_failure, failure_of, openai_error_of_failure
from shared.http.management import Page, is_management, management_body, management_error

_log = structlog.get_logger()
_CONTENT_TYPE = (b"content-type", b"application/json")
NO_FAILURE = Failure(code="internal_error", message="The job failed without saying why.")


class Answer(Response):
    """JSON text; its headers are put together here, as Starlette's own way takes three times as long."""

    def __init__(self, body: bytes, status: int, headers: Mapping[str, str] | None) -> None:
        self.body = body
        self.status_code = status
        self.background = None
        self.raw_headers = [_CONTENT_TYPE, (b"content-length", b"%d" % len(body))]
        for name, value in (headers or {}).items():
            self.raw_headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a value."""
    return raw_answer(orjson.dumps(value), status, headers)


def raw_answer(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON text as it is."""
    return Answer(body, status, headers)


def managed_answer(data: Any, message: str, page: Page | None = None) -> Response:
    """Answer in the envelope of the management API."""
    return json_answer(management_body(data, message, page))


def failure_answer(failure: Failure, extra: Mapping[str, Any] | None = None) -> Response:
    """Answer with a failure of a job; its status is the provider's or ours, never a success."""
    status = failure.http_status if 400 <= failure.http_status <= 599 else 500
    body = {**openai_error_of_failure(failure), **(extra or {})}
    return json_answer(body, status, error_headers_of_failure(failure))


def error_answer(error: PenstockError, path: str) -> Response:
    """Answer with an error, in the shape that belongs to the path."""
    failure = failure_of(error)
    if is_management(path):
        headers = error_headers_of_failure(failure)
        return json_answer(management_error(failure), failure.http_status, headers)
    return failure_answer(failure)


async def on_penstock_error(request: Request, error: Exception) -> Response:
    """Render a failure that was raised on purpose."""
    if not isinstance(error, PenstockError):
        return await on_bug(request, error)
    if error.http_status >= 500:
        _log.warning("request failed", code=error.code, reason=error.message)
    return error_answer(error, request.scope["path"])


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Render what the router raises: 404 and 405."""
    if not isinstance(error, HTTPException):
        return await on_bug(request, error)
    where = f"{request.method} {request.url.path[:200]}"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        wrong = MethodNotAllowedError(f"This path does not take this method: {where}.")
        answer = error_answer(wrong, request.scope["path"])
        answer.headers.update(error.headers or {})
        return answer
    if error.status_code == HTTPStatus.NOT_FOUND:
        return error_answer(NotFoundError(f"There is nothing here: {where}."), request.scope["path"])
    return failure_answer(
        Failure(code="http_error", message=str(error.detail), http_status=error.status_code)
    )


async def on_bug(request: Request, error: Exception) -> Response:
    """Answer with 500 without telling the caller what went wrong inside; the server logs the rest."""
    _log.error("bug", error=type(error).__name__)
    hidden = PenstockError("An internal error occurred; X-Request-Id finds it in the logs.")
    return error_answer(hidden, request.scope["path"])
