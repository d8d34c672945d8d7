"""The answer to ``stream: true``: the worker's deltas as server-sent events."""

from contextlib import ExitStack

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.ingress.adapters.provider_calls import Call
from services.ingress.api.answers import NO_FAILURE
from services.ingress.domain import sse
from services.ingress.domain.client_gone import ClientGoneError
from services.ingress.domain.delta_order import DeltaOrder
from services.ingress.domain.reply import ReplyDelta, ReplyEnd
from shared.contracts.jobs import JobStatus
from shared.errors import PenstockError
from shared.http.errors import openai_error, openai_error_of_failure

EVENT_STREAM_HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


class ReplyStream(Response):
    """Sends chunk by chunk. An error on the way is an event with ``error``, and no ``[DONE]`` follows.

    Args:
        call: Whose first message has come.
        first: That message, a delta or a successful end.
        owner: Ends the call, and the listening for a disconnect, when it is closed.
        include_usage: Whether the caller wants the chunk with the usage.
    """

    def __init__(
        self, call: Call, first: ReplyDelta | ReplyEnd, owner: ExitStack, *, include_usage: bool
    ) -> None:
        super().__init__()
        self._call = call
        self._first = first
        self._owner = owner
        self._include_usage = include_usage
        self._order = DeltaOrder()
        self._unsent = b""

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        """Send the stream; the call upstream ends with it."""
        try:
            with self._owner:
                await send({"type": "http.response.start", "status": 200, "headers": [*EVENT_STREAM_HEADERS]})
                last = await self._last(send)
        except ClientGoneError:
            return
        except PenstockError as error:
            last = sse.data(openai_error(error))
        await send({"type": "http.response.body", "body": self._unsent + last, "more_body": False})

    async def _last(self, send: Send) -> bytes:
        """Send every delta but what can go with the end; returns the end."""
        message = self._first
        while isinstance(message, ReplyDelta):
            end = self._take(message)
            if end is None and self._unsent:
                body, self._unsent = self._unsent, b""
                await send({"type": "http.response.body", "body": body, "more_body": True})
            message = end or await self._call.next()
        if message.status is not JobStatus.COMPLETED:
            return sse.data(openai_error_of_failure(message.failure or NO_FAILURE))
        self._order.check_end(message)
        return sse.DONE

    def _take(self, delta: ReplyDelta) -> ReplyEnd | None:
        """Frame a delta and those that have come behind it, for one write; returns the end if it has come."""
        message: ReplyDelta | ReplyEnd | None = delta
        while isinstance(message, ReplyDelta):
            if self._order.is_new(message):
                self._unsent += sse.chunks(message.body, include_usage=self._include_usage)
            message = self._call.arrived()
        return message
