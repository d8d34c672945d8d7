"""Nobody passes to ``/v1`` or ``/api/v1`` without a key, nor to ``/api/v1/admin`` without an operator's."""

from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from services.ingress.api.answers import error_answer
from services.ingress.api.context import RequestContext, context_of
from services.ingress.domain.principal import Principal
from shared.errors import AuthenticationError, OperatorRequiredError, PenstockError
from shared.security.api_keys import KeyRole

Authenticate = Callable[[str], Awaitable[Principal]]


class Gate:
    """Checks the key before anything of the body is read."""

    def __init__(self, app: ASGIApp, authenticate: Authenticate) -> None:
        self._app = app
        self._authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass or answer with 401 or 503."""
        path = scope["path"] if scope["type"] == "http" else ""
        if path.startswith(("/v1/", "/api/v1/")) or path in ("/v1", "/api/v1"):
            try:
                context = context_of(scope)
                context.principal = await self._authenticate(_key(context))
                if path.startswith("/api/v1/admin"):
                    _require_operator(context.principal)
            except PenstockError as error:
                await error_answer(error, path)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _require_operator(principal: Principal) -> None:
    if principal.role is not KeyRole.OPERATOR:
        raise OperatorRequiredError(
            "This needs an operator's key: `penstock keys create --operator --name NAME` makes one."
        )


def _key(context: RequestContext) -> str:
    """Find the key: ``Authorization: Bearer`` as OpenAI's clients send it, or ``x-api-key``."""
    authorization = context.given.get(b"authorization", b"")
    if authorization[:7].lower() == b"bearer ":
        return authorization[7:].strip().decode("latin-1")
    key = context.given.get(b"x-api-key", b"").strip()
    if not key:
        raise AuthenticationError(
            "You didn't provide an API key. Send it in the Authorization header: 'Authorization: Bearer KEY'."
        )
    return key.decode("latin-1")
