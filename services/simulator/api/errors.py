"""Errors in the shape of the OpenAI API."""

import math

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class ApiError(Exception):
    """An error that the caller gets."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.retry_after_s = retry_after_s

    def response(self) -> web.Response:
        """Render it; ``Retry-After`` is in whole seconds, rounded up."""
        kind = "server_error" if self.status >= 500 else KINDS.get(self.status, "invalid_request_error")
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        headers = {} if self.retry_after_s is None else {"Retry-After": str(math.ceil(self.retry_after_s))}
        return web.Response(
            status=self.status,
            body=orjson.dumps({"error": error}),
            headers=headers,
            content_type="application/json",
        )


@web.middleware
async def render_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give every failure its shape, those of the HTTP library too."""
    try:
        return await handler(request)
    except ApiError as error:
        return error.response()
    except web.HTTPError as error:
        return ApiError(error.status, f"{error.reason}: {request.method} {request.path}").response()
    except ConnectionError:  # the client left while it was answered: nobody to tell
        return web.Response()
