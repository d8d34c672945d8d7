"""Bodies of requests that have no work in them."""

from starlette.requests import Request

from services.ingress.api.body import read_body
from services.ingress.settings import IngressSection

MAX_BYTES = 64 * 1024


async def read_small_body(request: Request, settings: IngressSection) -> bytes:
    """Return the whole body, as :func:`read_body` does; none may be longer than 64 KiB."""
    return await read_body(
        request, max_bytes=min(MAX_BYTES, settings.max_body_bytes), timeout_s=settings.body_timeout_s
    )
