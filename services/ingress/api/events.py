"""``GET /v1/jobs/{id}/events``: what happens to a job, as it happens, resumable on any ingress."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.ingress.adapters.job_rows import JobEvent, JobRows
from services.ingress.adapters.job_watch import JobWatch, Watcher
from services.ingress.api.connection import while_connected
from services.ingress.api.context import context_of, principal_of
from services.ingress.api.reply_stream import EVENT_STREAM_HEADERS
from services.ingress.domain import sse
from services.ingress.domain.after_the_end import JobErasedError
from services.ingress.domain.client_gone import ClientGoneError
from services.ingress.domain.job import PREFIX, Job
from shared.contracts.ids import parse_public_id
from shared.errors import DatabaseUnavailableError, NotFoundError, UnprocessableRequestError

PAGE = 100
MAX_SEQUENCE = 2**31 - 1


class EventStream(Response):
    """Sends events from rows until the job's last one, or until the client goes or the process ends."""

    def __init__(self, events: AsyncIterator[bytes], owner: ExitStack, tasks: asyncio.TaskGroup) -> None:
        super().__init__()
        self._events = events
        self._owner = owner
        self._tasks = tasks

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        with self._owner:
            await send({"type": "http.response.start", "status": 200, "headers": [*EVENT_STREAM_HEADERS]})
            try:
                async with while_connected(receive, self._tasks):
                    async for event in self._events:
                        await send({"type": "http.response.body", "body": event, "more_body": True})
            except ClientGoneError:
                return
            await send({"type": "http.response.body", "body": b"", "more_body": False})


@dataclass(frozen=True, slots=True)
class _Page:
    """Rows that follow an event."""

    events: Sequence[JobEvent]
    last_event: int
    """The newest that was known when they were read."""
    over: bool
    """Nothing follows them."""


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
        with ExitStack() as owner:
            watcher = owner.enter_context(self._watch.of(tenant_id, job_id))
            job, events = await self._read(watcher, after)
            context_of(request.scope).tell_job(job.id, job.lane)
            if after and job.status.final and not events and after >= job.last_event:
                return Response(status_code=204)
            if job.erased_at is not None:
                raise JobErasedError("The events of the job are erased.")
            following = self._follow(watcher, _page(job, events), after)
            return EventStream(following, owner.pop_all(), self._tasks)

    async def _follow(self, watcher: Watcher, page: _Page | None, after: int) -> AsyncIterator[bytes]:
        """Send page after page; where there is none, say from time to time that the connection is alive.

        An outage is a pause: the stream goes on when PostgreSQL is back.
        """
        while True:
            if page is not None:
                if page.events:
                    after = page.events[-1].sequence
                    yield b"".join(map(_framed, page.events))
                if page.over:
                    return
                watcher.seen = page.last_event
            if page is None or len(page.events) < PAGE:
                while not await watcher.wait(self._keep_alive_s):
                    yield sse.KEEP_ALIVE
            if watcher.stopping:
                return
            page = await self._next(watcher, after)

    async def _next(self, watcher: Watcher, after: int) -> _Page | None:
        """Read on; None while PostgreSQL is away."""
        try:
            job, events = await self._read(watcher, after)
        except DatabaseUnavailableError:
            return None
        except NotFoundError:
            return _Page([], after, over=True)  # its day was dropped by retention
        return _page(job, events)

    async def _read(self, watcher: Watcher, after: int) -> tuple[Job, Sequence[JobEvent]]:
        return await watcher.read(
            partial(self._rows.events, watcher.tenant_id, watcher.job_id, after=after, limit=PAGE)
        )


def _page(job: Job, events: Sequence[JobEvent]) -> _Page:
    newest = events[-1].sequence if events else 0
    # Newer ones than the job knows of: it was retried between the two reads.
    over = job.status.final and len(events) < PAGE and newest <= job.last_event
    return _Page(events, max(job.last_event, newest), over)


def _framed(event: JobEvent) -> bytes:
    return sse.event(sequence=event.sequence, name=event.type, text=event.data)


def _after(request: Request) -> int:
    text = request.headers.get("last-event-id") or request.query_params.get("after") or "0"
    if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= MAX_SEQUENCE:
        return int(text)
    raise UnprocessableRequestError(
        "'after' and Last-Event-ID must be the sequence of an event.", param="after"
    )
