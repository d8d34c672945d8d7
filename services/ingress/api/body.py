"""Reading a request's body within bounds of size and time."""

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.types import Receive

from services.ingress.api.context import context_of
from services.ingress.domain.client_gone import ClientGoneError
from shared.errors import InvalidRequestError, PayloadTooLargeError


class SlowBodyError(InvalidRequestError):
    """The body did not arrive in time."""

    code = "request_timeout"
    http_status = 408


async def read_body(
    request: Request, *, max_bytes: int, timeout_s: float, on_chunk: Callable[[int], None] | None = None
) -> bytes:
    """Return the whole body; holds at most ``max_bytes`` and one chunk of it in memory.

    Args:
        request: Whose body nobody has read.
        max_bytes: A longer one is refused.
        timeout_s: How long it may take to arrive.
        on_chunk: Told the size of each chunk before it is kept; may refuse it by an error.

    Raises:
        PayloadTooLargeError: It is longer, by its ``Content-Length`` or in fact.
        SlowBodyError: It takes longer than ``timeout_s``.
        InvalidRequestError: It is compressed.
        ClientGoneError: The connection was closed before its end.
    """
    given = context_of(request.scope).given
    if given.get(b"content-encoding", b"identity").lower() != b"identity":
        raise InvalidRequestError("Send the body without Content-Encoding.", param="Content-Encoding")
    declared = given.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(timeout_s):
            return await _collect(request.receive, max_bytes, on_chunk)
    except TimeoutError:
        raise SlowBodyError("The body of the request did not arrive in time.") from None


async def _collect(receive: Receive, max_bytes: int, on_chunk: Callable[[int], None] | None) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError("The client closed the connection.")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        if on_chunk is not None:
            on_chunk(len(chunk))
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(max_bytes: int) -> PayloadTooLargeError:
    return PayloadTooLargeError(f"The body must not be longer than {max_bytes} bytes.")
