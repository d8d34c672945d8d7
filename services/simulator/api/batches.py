"""``/v1/files`` and ``/v1/batches``, and ``/simulator/batches``, which says how batches run.

Requests of a batch are answered by this simulator's own routes, so they meet the same faults and are counted
the same way.
"""

import asyncio
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson
from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from services.simulator.api.errors import ApiError
from services.simulator.domain.batches import BatchBehaviour, BatchShelf, SimulatedBatch

PARALLEL = 32
"""Requests of a batch that are answered at a time."""


class NewBatch(BaseModel):
    """Body of ``POST /v1/batches``."""

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] = Field(default_factory=dict)


class BatchRoutes:
    """The routes, and what runs batches; an async context manager."""

    def __init__(self) -> None:
        self._shelf = BatchShelf()
        self._tasks = asyncio.TaskGroup()
        self._runs: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for run in self._runs:
            run.cancel()
        await self._tasks.__aexit__(kind, error, trace)

    async def behave(self, request: web.Request) -> web.Response:
        """``PUT /simulator/batches``."""
        try:
            self._shelf.behaviour = BatchBehaviour.model_validate_json(await request.read())
        except ValidationError as error:
            raise ApiError(400, f"{error.error_count()} fields are wrong.") from None
        return web.json_response(self._shelf.behaviour.model_dump())

    async def upload(self, request: web.Request) -> web.Response:
        """``POST /v1/files``."""
        self._refuse()
        form = await request.post()
        file = form.get("file")
        if not isinstance(file, web.FileField) or form.get("purpose") != "batch":
            raise ApiError(400, "A file of the purpose 'batch' is needed.", param="file")
        content = file.file.read()
        file_id = self._shelf.put(content)
        return web.json_response(
            {
                "id": file_id,
                "object": "file",
                "bytes": len(content),
                "purpose": "batch",
                "filename": file.filename,
            }
        )

    async def content(self, request: web.Request) -> web.Response:
        """``GET /v1/files/{id}/content``."""
        self._refuse()
        content = self._shelf.file(request.match_info["id"])
        if content is None:
            raise ApiError(404, "No such file.")
        return web.Response(body=content, content_type="application/octet-stream")

    async def create(self, request: web.Request) -> web.Response:
        """``POST /v1/batches``."""
        self._refuse()
        try:
            wanted = NewBatch.model_validate_json(await request.read())
        except ValidationError as error:
            raise ApiError(400, f"{error.error_count()} fields are wrong.") from None
        if self._shelf.file(wanted.input_file_id) is None:
            raise ApiError(404, "No such file.", param="input_file_id")
        batch = self._shelf.create(
            endpoint=wanted.endpoint, input_file_id=wanted.input_file_id, metadata=wanted.metadata
        )
        run = self._tasks.create_task(self._run(batch, str(request.url.origin())))
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)
        await asyncio.sleep(batch.behaviour.create_delay_s)
        return web.json_response(batch.render())

    async def list(self, request: web.Request) -> web.Response:
        """``GET /v1/batches``."""
        self._refuse()
        batches = [batch.render() for batch in self._shelf.newest()]
        after, limit = request.query.get("after"), int(request.query.get("limit", "20"))
        ids = [batch["id"] for batch in batches]
        start = ids.index(after) + 1 if after in ids else 0
        page = batches[start : start + limit]
        return web.json_response({"object": "list", "data": page, "has_more": len(batches) > start + limit})

    async def get(self, request: web.Request) -> web.Response:
        """``GET /v1/batches/{id}``."""
        return web.json_response(self._batch(request).render())

    async def cancel(self, request: web.Request) -> web.Response:
        """``POST /v1/batches/{id}/cancel``."""
        batch = self._batch(request)
        if batch.status != "in_progress":
            raise ApiError(409, f"The batch is {batch.status}.")
        batch.cancel()
        return web.json_response(batch.render())

    def _batch(self, request: web.Request) -> SimulatedBatch:
        self._refuse()
        batch = self._shelf.batch(request.match_info["id"])
        if batch is None:
            raise ApiError(404, "No such batch.")
        return batch

    def _refuse(self) -> None:
        status = self._shelf.behaviour.status
        if status is not None:
            raise ApiError(status, f"Simulated {status}.", code="simulated")

    async def _run(self, batch: SimulatedBatch, origin: str) -> None:
        places = asyncio.Semaphore(PARALLEL)
        async with aiohttp.ClientSession(origin) as session:
            await asyncio.gather(*(self._answer(batch, one, session, places) for one in batch.to_answer))
        await asyncio.sleep(batch.behaviour.delay_s)
        if batch.status == "in_progress" and batch.behaviour.share == 1:
            batch.status = "completed"

    async def _answer(
        self,
        batch: SimulatedBatch,
        one: dict[str, Any],
        session: aiohttp.ClientSession,
        places: asyncio.Semaphore,
    ) -> None:
        async with places:
            if batch.status != "in_progress":
                return
            async with session.post(one["url"], data=orjson.dumps(one["body"])) as response:
                body = orjson.loads(await response.read())
            if batch.status == "in_progress":
                batch.add(one["custom_id"], response.status, body)
