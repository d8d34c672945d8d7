"""``GET /v1/jobs/{id}/events``: what happens to a job, as it happens, resumable on any ingress."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.ingress.adapters.job_rows import JobEvent, JobRows
from services.ingress.adapters.job_watch import JobWatch
from services.ingress.api.connection import while_connected
from services.ingress.api.context import context_of, principal_of
from services.ingress.api.reply_stream import EVENT_STREAM_HEADERS
from services.ingress.domain import sse
from services.ingress.domain.after_the_end import JobErasedError
from services.ingress.domain.client_gone import ClientGoneError
from services.ingress.domain.job import PREFIX
from shared.contracts.ids import parse_public_id
from shared.errors import DatabaseUnavailableError, NotFoundError, UnprocessableRequestError

PAGE = 100
MAX_SEQUENCE = 2**31 - 1


class EventStream(Response):
    """Sends events from rows until the job's last one, or until the client goes or the process ends."""

    def __init__(self, events: AsyncIterator[bytes], tasks: asyncio.TaskGroup) -> None:
        super().__init__()
        self._events = events
        self._tasks = tasks

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        await send({"type": "http.response.start", "status": 200, "headers": [*EVENT_STREAM_HEADERS]})
        try:
            async with while_connected(receive, self._tasks):
                async for event in self._events:
                    await send({"type": "http.response.body", "body": event, "more_body": True})
        except ClientGoneError:
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class EventEndpoint:
    """Reads the rows after the one that the caller has, then waits for news."""

    def __init__(
        self, *, rows: JobRows, watch: JobWatch, tasks: asyncio.TaskGroup, keep_alive_s: float
    ) -> None:
        self._rows = rows
        self._watch = watch
        self._tasks = tasks
        self._keep_alive_s = keep_alive_s

    async def __call__(self, request: Request) -> Response:
        """Stream; 204 where the caller has seen the last event, which ends an EventSource's retries."""
        tenant_id = principal_of(request).tenant_id
        job_id = parse_public_id(PREFIX, request.path_params["job_id"])
        after = _after(request)
        job, events = await self._rows.events(tenant_id, job_id, after=after, limit=PAGE)
        context_of(request.scope).tell_job(job.id, job.lane)
        if after and job.status.final and not events and after >= job.last_event:
            return Response(status_code=204)
        if job.erased_at is not None:
            raise JobErasedError("The events of the job are erased.")
        return EventStream(self._follow(tenant_id, job_id, after), self._tasks)

    async def _follow(self, tenant_id: UUID, job_id: UUID, after: int) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        quiet_until = clock() + self._keep_alive_s
        with self._watch.of(job_id) as watcher:
            while True:
                events, over = await self._next(tenant_id, job_id, after)
                if events:
                    after = events[-1].sequence
                    yield b"".join(
                        sse.event(sequence=event.sequence, name=event.type, text=event.data)
                        for event in events
                    )
                    quiet_until = clock() + self._keep_alive_s
                if over or watcher.stopping:
                    return
                if clock() >= quiet_until:
                    yield sse.KEEP_ALIVE
                    quiet_until = clock() + self._keep_alive_s
                if len(events) < PAGE:
                    await watcher.wait(quiet_until - clock())

    async def _next(self, tenant_id: UUID, job_id: UUID, after: int) -> tuple[Sequence[JobEvent], bool]:
        """Read on; an outage is a pause, as the stream goes on when PostgreSQL is back."""
        try:
            job, events = await self._rows.events(tenant_id, job_id, after=after, limit=PAGE)
        except DatabaseUnavailableError:
            return [], False
        except NotFoundError:
            return [], True  # its day was dropped by retention
        return events, job.status.final and len(events) < PAGE


def _after(request: Request) -> int:
    text = request.headers.get("last-event-id") or request.query_params.get("after") or "0"
    if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= MAX_SEQUENCE:
        return int(text)
    raise UnprocessableRequestError(
        "'after' and Last-Event-ID must be the sequence of an event.", param="after"
    )
