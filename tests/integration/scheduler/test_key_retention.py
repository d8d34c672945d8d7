"""Idempotency keys are dropped when a day has passed, not before."""

import pytest

from services.scheduler.adapters.idempotency_keys import IdempotencyKeysTable
from services.scheduler.domain.key_retention import KeyRetention
from shared.contracts.ids import new_id
from shared.storage.postgres import Database
from tests.support.store import Jobs

_INSERT = """
INSERT INTO idempotency_keys (tenant_id, key, fingerprint, object_id, status, created_at)
VALUES ($1, $2, '', $1, 202, now() - make_interval(hours => $3))
"""


@pytest.mark.parametrize(("hours", "kept"), [(23, 1), (25, 0)])
async def test_a_key_is_kept_for_a_day(jobs: Jobs, system: Database, hours: int, kept: int) -> None:
    tenant = new_id()
    await jobs.execute(_INSERT, tenant, "k", hours)
    await KeyRetention(keys=IdempotencyKeysTable(system), keep_hours=24)()
    async with system.transaction() as connection:
        left = await connection.fetchval("SELECT count(*) FROM idempotency_keys WHERE tenant_id = $1", tenant)
    assert left == kept


async def test_what_does_not_fit_into_a_round_follows_at_once(jobs: Jobs, system: Database) -> None:
    tenants = [new_id() for _ in range(3)]
    for tenant in tenants:
        await jobs.execute(_INSERT, tenant, "k", 30)
    keys = IdempotencyKeysTable(system)
    assert await keys.drop_older_than(24, limit=2) == 2
    assert await keys.drop_older_than(24, limit=2) == 1
