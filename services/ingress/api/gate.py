"""Nobody passes to ``/v1`` without an API key."""

from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from services.ingress.api.answers import error_answer
from services.ingress.api.context import context_of
from services.ingress.domain.principal import Principal
from shared.errors import AuthenticationError, PenstockError

Authenticate = Callable[[str], Awaitable[Principal]]


class Gate:
    """Checks the key before anything of the body is read, for every path below ``/v1``."""

    def __init__(self, app: ASGIApp, authenticate: Authenticate) -> None:
        self._app = app
        self._authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass or answer with 401 or 503."""
        if scope["type"] == "http" and (scope["path"] == "/v1" or scope["path"].startswith("/v1/")):
            try:
                context_of(scope).principal = await self._authenticate(_key(scope))
            except PenstockError as error:
                await error_answer(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _key(scope: Scope) -> str:
    """Find the key: ``Authorization: Bearer`` as OpenAI's clients send it, or ``x-api-key``."""
    key = None
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return str(value[7:].strip().decode("latin-1"))
        if name == b"x-api-key":
            key = value.strip().decode("latin-1")
    if not key:
        raise AuthenticationError(
            "You didn't provide an API key. Send it in the Authorization header: 'Authorization: Bearer KEY'."
        )
    return str(key)
