"""``Idempotency-Key`` on routes that create something in one transaction."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from services.ingress.adapters.idempotency_keys import IdempotencyKeys, Remembered
from services.ingress.adapters.patience import database_patience
from services.ingress.api.answers import raw_answer
from services.ingress.api.context import context_of, principal_of
from services.ingress.domain.idempotency import HEADER, KeyUse, read_key
from shared.storage.postgres import Connection, Database

REPLAYED = (b"idempotent-replayed", b"true")
PARAMETER = {
    "name": HEADER,
    "in": "header",
    "description": (
        "1 to 255 visible characters of your choice, kept for at least 24 hours. The same key with the same "
        "body creates nothing anew and gets the same answer, with `Idempotent-Replayed: true`; with "
        "another body it is refused with 422 `idempotency_key_reused`."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "example": "order-4711",
}


def key_use(request: Request, body: bytes) -> KeyUse | None:
    """Read the header; None without one, which costs a look into the headers.

    Raises:
        InvalidRequestError: It is no key.
    """
    value = context_of(request.scope).given.get(b"idempotency-key")
    if value is None:
        return None
    route = f"{request.method} {request.scope['path']}"
    return read_key(value.decode("latin-1"), route=route, body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """What a transaction created, and the answer that tells it."""

    answer: Any
    """Written as JSON."""
    status: int = 200


class CreateOnce:
    """Runs a creation in a transaction of its own, once for each key.

    The row of the key and what is created are committed together: after a crash, or where the answer was
    lost, the same request finds both or neither. Concurrent ones wait for the first.

    Example::

        async def create(self, request: Request) -> Response:
            body = await read_body(request, ...)
            wanted = read_endpoint(body)                      # every check that needs no database
            endpoint_id = new_id()

            async def insert(connection: Connection) -> Created:   # acts for the tenant already
                await connection.execute("INSERT INTO webhook_endpoints ...", endpoint_id, ...)
                return Created(answer=wanted.render(endpoint_id), status=201)

            return await self._once(request, body, endpoint_id, insert)

    An answer that must not be kept (it holds a secret) is spelled again by ``recall``::

            return await self._once(request, body, endpoint_id, insert, recall=self._show_with_secret)

    Args:
        database: As ``penstock_app``.
        keys: On the same database.
    """

    def __init__(self, database: Database, keys: IdempotencyKeys) -> None:
        self._database = database
        self._keys = keys

    async def __call__(
        self,
        request: Request,
        body: bytes,
        object_id: UUID,
        create: Callable[[Connection], Awaitable[Created]],
        *,
        recall: Callable[[UUID, UUID], Awaitable[Any]] | None = None,
        location: Callable[[UUID], str] | None = None,
    ) -> Response:
        """Answer with what is created, or with what the key created before.

        Args:
            request: Names the key, or none.
            body: Of the request, as it was sent.
            object_id: Of what is to be created.
            create: Writes it; a failure gives the key back.
            recall: Spells the answer for a tenant and an object once more; then none is kept.
            location: Says where an object is, for the header of that name.

        Raises:
            IdempotencyKeyReusedError: The key belongs to another request.
            IdempotencyKeyInUseError: Another request with the key takes its time.
            DatabaseUnavailableError: Within two seconds.
            PenstockError: Of ``create``.
        """
        use = key_use(request, body)
        tenant_id = principal_of(request).tenant_id
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            earlier = None if use is None else await self._keys.take(connection, tenant_id, use, object_id)
            if earlier is None:
                created = await create(connection)
                answer = orjson.dumps(created.answer)
                if use is not None:
                    kept = answer if recall is None else None
                    await self._keys.keep(connection, use, status=created.status, answer=kept)
        if earlier is not None:
            object_id, status = earlier.object_id, earlier.status
            answer = await self._replay(request, tenant_id, earlier, recall)
        else:
            status = created.status
        headers = None if location is None else {"Location": location(object_id)}
        return raw_answer(answer, status, headers)

    async def _replay(
        self,
        request: Request,
        tenant_id: UUID,
        earlier: Remembered,
        recall: Callable[[UUID, UUID], Awaitable[Any]] | None,
    ) -> bytes:
        context_of(request.scope).headers.append(REPLAYED)
        answer = earlier.answer
        if answer is None and recall is not None:
            answer = orjson.dumps(await recall(tenant_id, earlier.object_id))
        return answer or b"{}"
