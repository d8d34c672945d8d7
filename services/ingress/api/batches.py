"""``/v1/batches``: create, show, list, cancel; the scheduler does the rest."""

from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from services.ingress.adapters.batch_rows import BatchRows
from services.ingress.api.answers import json_answer
from services.ingress.api.body import read_body
from services.ingress.api.context import context_of, principal_of
from services.ingress.api.idempotency import Created, CreateOnce
from services.ingress.api.listing import list_answer
from services.ingress.domain.batch_submission import read_batch_submission
from services.ingress.domain.page import read_page
from services.ingress.settings import IngressSection
from shared.contracts.batches import BATCH_PREFIX, BatchStatus
from shared.contracts.ids import new_id, parse_public_id
from shared.errors import ConflictError
from shared.observability.tracing import inject
from shared.storage.postgres import Connection


class BatchFinalError(ConflictError):
    """The batch has its end already."""

    code = "batch_final"


class BatchEndpoints:
    """What the routes of batches do."""

    def __init__(self, *, rows: BatchRows, once: CreateOnce, settings: IngressSection) -> None:
        self._rows = rows
        self._once = once
        self._settings = settings

    async def create(self, request: Request) -> Response:
        """Accept a batch, once for each idempotency key; the answer means that it is durable."""
        body = await read_body(
            request, max_bytes=self._settings.max_body_bytes, timeout_s=self._settings.body_timeout_s
        )
        submission = read_batch_submission(body, max_window_s=self._settings.max_job_deadline_s)
        batch_id = new_id()

        async def insert(connection: Connection) -> Created:
            batch = await self._rows.insert(
                connection,
                principal_of(request).tenant_id,
                batch_id,
                submission,
                created_at=datetime.now(UTC),
                request_id=context_of(request.scope).request_id,
                headers=inject(),
            )
            return Created(answer=batch.document())

        return await self._once(request, body, batch_id, insert)

    async def get(self, request: Request) -> Response:
        """Show a batch."""
        batch = await self._rows.get(principal_of(request).tenant_id, _batch_id(request))
        return json_answer(batch.document())

    async def list(self, request: Request) -> Response:
        """Show one page of batches, newest first."""
        wanted = read_page(
            request.query_params,
            known=("after", "limit"),
            default=20,
            most=100,
            parse_id=partial(parse_public_id, BATCH_PREFIX),
        )
        batches, has_more = await self._rows.page(principal_of(request).tenant_id, wanted)
        return list_answer([batch.document() for batch in batches], has_more=has_more)

    async def cancel(self, request: Request) -> Response:
        """Have a batch cancelled: first ``cancelling``, then ``cancelled`` with what there is."""
        batch, begun = await self._rows.cancel(
            principal_of(request).tenant_id, _batch_id(request), datetime.now(UTC)
        )
        if not begun and batch.status is not BatchStatus.CANCELLING:
            raise BatchFinalError(f"The batch is {batch.status} already.")
        return json_answer(batch.document())


def _batch_id(request: Request) -> UUID:
    return parse_public_id(BATCH_PREFIX, request.path_params["batch_id"])
