"""Batches at providers against the real database: asked about by one, let go once, and never too early."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from pydantic import SecretStr

from services.scheduler.adapters.provider_batch_table import ProviderBatchTable
from services.scheduler.domain.provider_batch import ProviderBatch, step
from services.scheduler.settings import BatchSettings, SchedulerSettings
from shared.config.providers import ModelAlias, ProviderSettings
from shared.config.providers import ProviderBatch as Chosen
from shared.config.settings import RedisSettings
from shared.contracts.ids import new_id
from shared.contracts.provider_batches import ProviderBatchReported
from shared.messaging.broker import Broker
from shared.storage.files import FilePart
from shared.storage.postgres import Database
from shared.storage.redis import open_redis
from tests.integration.scheduler.batch_harness import Harness, request

CHOSEN = Chosen(reserve_s=600, recall_s=300, at_least_s=1000, max_requests=10)
_DUE = """
SELECT j.batch_line FROM outbox o JOIN jobs j ON j.id = o.job_id
WHERE j.batch_id = $1 AND o.due_at <= now() ORDER BY 1
"""


@pytest.fixture
async def harness(
    settings: SchedulerSettings, system: Database, broker: Broker, valkey_url: str
) -> AsyncGenerator[Harness, None]:
    configured = settings.model_copy(
        update={
            "batches": BatchSettings(chunk=5, chunk_bytes=1024),
            "providers": {"sim": ProviderSettings(base_url="http://127.0.0.1:1/v1")},
            "models": {"patient": ModelAlias(targets=("sim/echo",), provider_batch=CHOSEN)},
            "redis": RedisSettings(url=SecretStr(valkey_url)),
        }
    )
    async with open_redis(configured.redis, name="test") as redis:
        yield Harness(configured, system, broker, redis)
        async with system.connection() as connection:
            await connection.execute("UPDATE batches SET status = 'failed'")
            await connection.execute("DELETE FROM provider_batches")


@pytest.fixture
def table(harness: Harness) -> ProviderBatchTable:
    return ProviderBatchTable(harness.system, harness.store)


async def put_aside(harness: Harness, many: int) -> UUID:
    batch_id = await harness.submit(request(f"r-{n}", model="patient") for n in range(many))
    await harness.work(batch_id, "in_progress")
    for _ in range(many):
        await harness.leader()()
    return batch_id


async def claimed(table: ProviderBatchTable, *, again: bool = False) -> list[ProviderBatch]:
    until = datetime.now(UTC) + timedelta(seconds=-1 if again else 60)
    return sorted(await table.claim(until=until, limit=8), key=lambda batch: batch.id)


async def test_requests_are_put_aside_and_nothing_of_them_is_due(
    harness: Harness, table: ProviderBatchTable
) -> None:
    batch_id = await put_aside(harness, 23)
    row = await harness.row(batch_id)
    assert row["inserted"] == 23
    assert await harness.fetch(_DUE, batch_id) == []
    rows = await harness.fetch("SELECT * FROM provider_batches WHERE batch_id = $1 ORDER BY 1", batch_id)
    assert [(one["first_line"], one["last_line"], one["state"]) for one in rows] == [
        (1, 10, "open"),
        (11, 20, "open"),
        (21, 23, "open"),
    ]
    first = (await claimed(table))[0]
    content = b"".join(
        [await harness.store.read([FilePart(part.ref, part.bytes)], 0, 10**6) for part in first.parts]
    )
    assert content.count(b"\n") == 10


async def test_a_batch_without_time_is_called_live(harness: Harness) -> None:
    batch_id = await harness.submit([request("r", model="patient")], window_s=1800)
    await harness.work(batch_id, "in_progress")
    await harness.leader()()
    assert len(await harness.fetch(_DUE, batch_id)) == 1
    assert await harness.fetch("SELECT 1 FROM provider_batches WHERE batch_id = $1", batch_id) == []


async def test_one_leader_asks_and_an_answer_to_an_older_question_changes_nothing(
    harness: Harness, table: ProviderBatchTable
) -> None:
    batch_id = await put_aside(harness, 10)
    (old,) = await claimed(table, again=True)
    (new,) = await claimed(table)
    assert await claimed(table) == []
    over = ProviderBatchReported(id=old.id, ended=True)
    assert not await table.note(step(old, over, now=datetime.now(UTC), poll_s=1))
    assert await harness.fetch(_DUE, batch_id) == []
    assert await table.note(step(new, over, now=datetime.now(UTC), poll_s=1))
    assert len(await harness.fetch(_DUE, batch_id)) == 10


async def test_only_what_the_provider_did_not_answer_is_let_go(
    harness: Harness, table: ProviderBatchTable
) -> None:
    batch_id = await put_aside(harness, 20)
    first, _ = await claimed(table, again=True)
    part = ProviderBatchReported(id=first.id, remote_id="b", answered=(1, 3), more=True, output_offset=5)
    assert await table.note(step(first, part, now=datetime.now(UTC), poll_s=1))
    assert await harness.fetch(_DUE, batch_id) == []
    first, second = await claimed(table)
    assert (first.remote_id, first.output_offset, second.remote_id) == ("b", 5, None)
    last = ProviderBatchReported(id=first.id, ended=True, answered=(4,))
    assert await table.note(step(first, last, now=datetime.now(UTC), poll_s=1))
    assert [row["batch_line"] for row in await harness.fetch(_DUE, batch_id)] == [2, 5, 6, 7, 8, 9, 10]
    (left, _) = second.parts
    assert await harness.store.read([FilePart(left.ref, left.bytes)], 0, 1)
    done = ProviderBatchReported(id=second.id, ended=True, answered=tuple(range(11, 21)))
    assert await table.note(step(second, done, now=datetime.now(UTC), poll_s=1))
    assert [row["batch_line"] for row in await harness.fetch(_DUE, batch_id)] == [2, 5, 6, 7, 8, 9, 10]


async def test_a_cancelled_batch_is_unwanted(harness: Harness, table: ProviderBatchTable) -> None:
    batch_id = await put_aside(harness, 5)
    (before,) = await claimed(table, again=True)
    await harness.fetch("UPDATE batches SET status = 'cancelling' WHERE id = $1", batch_id)
    (after,) = await claimed(table)
    assert (before.unwanted, after.unwanted) == (False, True)


async def test_another_tenant_sees_nothing_of_it(harness: Harness, app: Database) -> None:
    batch_id = await put_aside(harness, 5)
    seen = "SELECT count(*) FROM provider_batches WHERE batch_id = $1"
    for tenant, count in ((harness.tenant, 1), (new_id(), 0), (None, 0)):
        async with app.transaction(tenant) as connection:
            assert await connection.fetchval(seen, batch_id) == count
