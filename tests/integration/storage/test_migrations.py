"""The newest migrations can be taken back and applied again."""

import asyncio
from collections.abc import Callable

from alembic import command

from shared.storage.migrate import alembic_config, migrate
from shared.storage.postgres import Database
from tests.support.store import settings_for


async def test_provider_batches_can_be_taken_back_and_applied_again(
    fresh_database: Callable[[], str],
) -> None:
    url = fresh_database()
    await migrate(url)
    await asyncio.to_thread(command.downgrade, alembic_config(url), "0006")
    async with Database(settings_for(url), role="penstock_system", name="test") as database:
        async with database.transaction() as connection:
            assert await connection.fetchval("SELECT to_regclass('provider_batches')") is None
        await migrate(url)
        async with database.transaction() as connection:
            assert await connection.fetchval("SELECT count(*) FROM provider_batches") == 0


async def test_webhooks_can_be_taken_back_and_applied_again(fresh_database: Callable[[], str]) -> None:
    url = fresh_database()
    await migrate(url)
    await asyncio.to_thread(command.downgrade, alembic_config(url), "0003")
    async with Database(settings_for(url), role="penstock_system", name="test") as database:
        async with database.transaction() as connection:
            await connection.execute("SELECT ensure_job_partitions(current_date, current_date + 9)")
            assert await connection.fetchval("SELECT to_regclass('webhook_queue')") is None
        await migrate(url)
        async with database.transaction() as connection:
            assert await connection.fetchval("SELECT count(*) FROM webhook_deliveries") == 0
