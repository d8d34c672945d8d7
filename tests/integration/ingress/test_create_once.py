"""Routes that create something in a transaction of their own, once for each key."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import pytest
from starlette.requests import Request

from services.ingress.adapters.idempotency_keys import IdempotencyKeys
from services.ingress.api.context import new_context
from services.ingress.api.idempotency import REPLAYED, Created, CreateOnce
from services.ingress.domain.idempotency import IdempotencyKeyInUseError, IdempotencyKeyReusedError, read_key
from services.ingress.domain.principal import Principal
from shared.contracts.ids import new_id
from shared.errors import ConflictError
from shared.storage.postgres import Connection, Database
from tests.integration.ingress.conftest import Tenant
from tests.support.store import settings_for


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    async with Database(settings_for(database_url), role="penstock_app", name="test") as opened:
        yield opened


class Things:
    """A route that creates things; the rows of idempotency keys stand for their table."""

    def __init__(self, database: Database, tenant: Tenant) -> None:
        self._once = CreateOnce(database, IdempotencyKeys(database))
        self._tenant = tenant
        self.created: list[UUID] = []

    def request(self, key: str | None) -> Request:
        headers = [] if key is None else [(b"idempotency-key", key.encode())]
        scope = {"type": "http", "method": "POST", "path": "/v1/things", "headers": headers}
        new_context(scope).principal = Principal(self._tenant.id, new_id())
        return Request(scope)

    async def post(
        self, key: str | None, body: bytes = b"{}", *, fails: bool = False, secret: str | None = None
    ) -> tuple[int, bytes, bool]:
        request, thing_id = self.request(key), new_id()

        async def create(connection: Connection) -> Created:
            assert await connection.fetchval("SELECT current_setting('app.tenant')") == str(self._tenant.id)
            if fails:
                raise ConflictError("no")
            self.created.append(thing_id)
            return Created(answer={"id": thing_id.hex, "secret": secret}, status=201)

        async def recall(tenant_id: UUID, object_id: UUID) -> Any:
            assert tenant_id == self._tenant.id
            return {"id": object_id.hex, "secret": secret}

        answer = await self._once(request, body, thing_id, create, recall=None if secret is None else recall)
        replayed = REPLAYED in request.scope["state"]["context"].headers
        return answer.status_code, bytes(answer.body), replayed


@pytest.fixture
def things(database: Database, alice: Tenant) -> Things:
    return Things(database, alice)


async def test_without_a_key_each_request_creates(things: Things):
    assert [(await things.post(None))[2] for _ in range(2)] == [False, False]
    assert len(things.created) == 2


async def test_many_requests_with_one_key_create_once_and_get_one_answer(things: Things):
    answers = await asyncio.gather(*(things.post("things-1") for _ in range(20)))
    assert {(status, body) for status, body, _ in answers} == {(201, answers[0][1])}
    assert sum(not replayed for _, _, replayed in answers) == 1
    assert len(things.created) == 1
    with pytest.raises(IdempotencyKeyReusedError):
        await things.post("things-1", b'{"other":1}')


async def test_a_key_that_another_transaction_keeps_is_a_conflict_that_tells_to_come_back(
    things: Things, database: Database, alice: Tenant
):
    use = read_key("things-4", route="POST /v1/things", body=b"{}")
    async with database.transaction(alice.id) as connection:
        assert await IdempotencyKeys(database).take(connection, alice.id, use, new_id()) is None
        with pytest.raises(IdempotencyKeyInUseError):
            await things.post("things-4")
    assert things.created == []


async def test_a_creation_that_fails_gives_its_key_back(things: Things):
    with pytest.raises(ConflictError):
        await things.post("things-2", fails=True)
    assert await things.post("things-2") == (201, (await things.post("things-2"))[1], False)


async def test_a_secret_is_spelled_again_instead_of_kept(things: Things, rows: Any):
    first, second = [await things.post("things-3", secret="s3cret") for _ in range(2)]
    assert first[:2] == second[:2]
    assert (first[2], second[2]) == (False, True)
    kept = rows.execute("SELECT answer FROM idempotency_keys WHERE key = 'things-3'").fetchall()
    assert kept == [(None,)]
