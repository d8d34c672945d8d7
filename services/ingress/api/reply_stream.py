"""The answer to ``stream: true``: the worker's deltas as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.ingress.adapters.provider_calls import Call
from services.ingress.api.answers import NO_FAILURE
from services.ingress.api.connection import while_connected
from services.ingress.domain import sse
from services.ingress.domain.client_gone import ClientGoneError
from services.ingress.domain.delta_order import DeltaOrder
from shared.contracts.jobs import JobDelta, JobFinished, JobStatus
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
        owner: Ends the call when it is closed.
        include_usage: Whether the caller wants the chunk with the usage.
        tasks: For the task that listens for a disconnect.
    """

    def __init__(
        self,
        call: Call,
        first: JobDelta | JobFinished,
        owner: AsyncExitStack,
        *,
        include_usage: bool,
        tasks: asyncio.TaskGroup,
    ) -> None:
        super().__init__()
        self._call = call
        self._first = first
        self._owner = owner
        self._include_usage = include_usage
        self._tasks = tasks

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send the stream; the call upstream ends with it."""
        last = b""
        try:
            async with self._owner, while_connected(receive, self._tasks):
                await send({"type": "http.response.start", "status": 200, "headers": [*EVENT_STREAM_HEADERS]})
                async for event in self._events():
                    await send({"type": "http.response.body", "body": event, "more_body": True})
        except ClientGoneError:
            return
        except PenstockError as error:
            last = sse.data(openai_error(error))
        await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _events(self) -> AsyncIterator[bytes]:
        order = DeltaOrder()
        message = self._first
        while isinstance(message, JobDelta):
            if order.is_new(message):
                framed = sse.chunks(message.body, include_usage=self._include_usage)
                if framed:
                    yield framed
            message = await self._call.next()
        if message.status is not JobStatus.COMPLETED:
            yield sse.data(openai_error_of_failure(message.failure or NO_FAILURE))
            return
        order.check_end(message)
        yield sse.DONE
