"""The answer to ``stream: true`` with an idempotency key: a job's recorded chunks as server-sent events."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.ingress.api.answers import NO_FAILURE
from services.ingress.api.connection import while_connected
from services.ingress.api.reply_stream import EVENT_STREAM_HEADERS
from services.ingress.domain import sse
from services.ingress.domain.client_gone import ClientGoneError
from services.ingress.domain.recorded import RecordedPart
from shared.contracts.jobs import JobStatus
from shared.errors import PenstockError
from shared.http.errors import openai_error, openai_error_of_failure


class RecordedStream(Response):
    """Sends part by part, as a call without a key is streamed; the job does not depend on its reader.

    Args:
        parts: The rest of the answer.
        first: The part that decided that there is a stream.
        tasks: Holds the task that listens for the disconnect.
        include_usage: Whether the caller wants the chunk with the usage.
    """

    def __init__(
        self,
        parts: AsyncGenerator[RecordedPart, None],
        first: RecordedPart,
        tasks: asyncio.TaskGroup,
        *,
        include_usage: bool,
    ) -> None:
        super().__init__()
        self._parts = parts
        self._first = first
        self._tasks = tasks
        self._include_usage = include_usage

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        await send({"type": "http.response.start", "status": 200, "headers": [*EVENT_STREAM_HEADERS]})
        try:
            async with aclosing(self._parts), while_connected(receive, self._tasks):
                last = await self._last(send)
        except ClientGoneError:
            return
        except PenstockError as error:
            last = sse.data(openai_error(error))
        await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _last(self, send: Send) -> bytes:
        part = self._first
        while True:
            body = sse.chunks(part.lines, include_usage=self._include_usage)
            if body:
                await send({"type": "http.response.body", "body": body, "more_body": True})
            if part.end is not None:
                if part.end.status is JobStatus.COMPLETED:
                    return sse.DONE
                return sse.data(openai_error_of_failure(part.end.failure or NO_FAILURE))
            part = await anext(self._parts)
