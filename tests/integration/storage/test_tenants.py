"""Row-level security: one tenant sees and changes nothing of another, in any table."""

from collections.abc import Sequence

import asyncpg
import pytest

from shared.contracts.ids import new_id
from shared.storage.postgres import Database
from tests.support.store import Job, Jobs

TABLES = (
    "jobs",
    "outbox",
    "job_attempts",
    "job_events",
    "api_keys",
    "idempotency_keys",
    "files",
    "file_parts",
    "batches",
)


@pytest.fixture
async def victim(jobs: Jobs) -> Job:
    job = await jobs.submit()
    await jobs.execute(
        "INSERT INTO job_attempts (job_id, start_id, tenant_id, attempt, worker, started_at) "
        "VALUES ($1, $2, $3, 1, 'w', now())",
        job.id,
        new_id(),
        job.tenant,
    )
    await jobs.execute("INSERT INTO tenants (id, name) VALUES ($1, 'b')", job.tenant)
    await jobs.execute(
        "INSERT INTO idempotency_keys (tenant_id, key, fingerprint, object_id, status) "
        "VALUES ($1, 'k', '', $2, 202)",
        job.tenant,
        job.id,
    )
    await jobs.execute(
        "INSERT INTO api_keys (id, tenant_id, key_id, digest, name) VALUES ($1, $2, $3, '', 'k')",
        new_id(),
        job.tenant,
        job.id.hex,
    )
    await jobs.execute(
        "INSERT INTO files (id, tenant_id, purpose, filename, state, created_at) "
        "VALUES ($1, $2, 'batch', 'f', 'ready', now())",
        job.id,
        job.tenant,
    )
    await jobs.execute(
        "INSERT INTO file_parts (file_id, number, tenant_id, ref, bytes) VALUES ($1, 0, $2, 'r', 1)",
        job.id,
        job.tenant,
    )
    await jobs.execute(
        "INSERT INTO batches (id, tenant_id, status, endpoint, completion_window, input_file_id, request_id, "
        "created_at, expires_at) VALUES ($1, $2, 'failed', 'e', '24h', $1, 'r', now(), now())",
        job.id,
        job.tenant,
    )
    return job


async def partitions(system: Database) -> Sequence[str]:
    async with system.transaction() as connection:
        rows = await connection.fetch(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits "
            "WHERE inhparent IN ('jobs'::regclass, 'job_attempts'::regclass, "
            "'job_events'::regclass)"
        )
    return [row["name"] for row in rows]


@pytest.mark.parametrize("table", TABLES)
async def test_rows_of_another_tenant_are_not_seen(table: str, victim: Job, app: Database) -> None:
    async with app.transaction(victim.tenant) as connection:
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 1  # noqa: S608 - a constant
    for tenant in (new_id(), None):
        async with app.transaction(tenant) as connection:
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 - the same


@pytest.mark.parametrize("table", ["jobs", "outbox", "job_attempts"])
async def test_rows_of_another_tenant_are_not_changed(table: str, victim: Job, app: Database) -> None:
    async with app.transaction(new_id()) as connection:
        done = await connection.execute(f"UPDATE {table} SET attempt = 9")  # noqa: S608 - a constant
    assert done == "UPDATE 0"


@pytest.mark.parametrize(("table", "column"), [("files", "filename"), ("batches", "endpoint")])
async def test_files_and_batches_of_another_tenant_are_not_changed(
    table: str, column: str, victim: Job, app: Database
) -> None:
    async with app.transaction(new_id()) as connection:
        done = await connection.execute(f"UPDATE {table} SET {column} = 'x'")  # noqa: S608 - a constant
    assert done == "UPDATE 0"


async def test_an_outbox_row_of_another_tenant_is_not_deleted(victim: Job, app: Database, jobs: Jobs) -> None:
    async with app.transaction(new_id()) as connection:
        assert await connection.execute("DELETE FROM outbox") == "DELETE 0"
    assert await jobs.outbox(victim) is not None


async def test_rows_cannot_be_given_to_another_tenant(victim: Job, app: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with app.transaction(victim.tenant) as connection:
            await connection.execute("UPDATE jobs SET tenant_id = $1", new_id())
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with app.transaction(new_id()) as connection:
            await connection.execute(
                "INSERT INTO job_events (job_id, sequence, tenant_id, type, data) "
                "VALUES ($1, 9, $2, 'x', '')",
                victim.id,
                victim.tenant,
            )


@pytest.mark.parametrize(
    "table",
    [
        "jobs",
        "job_events",
        "job_attempts",
        "api_keys",
        "idempotency_keys",
        "tenants",
        "files",
        "file_parts",
        "batches",
    ],
)
async def test_the_application_deletes_no_record(table: str, victim: Job, app: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with app.transaction(victim.tenant) as connection:
            await connection.execute(f"DELETE FROM {table}")  # noqa: S608 - a constant


async def test_a_partition_is_no_way_around_the_policy(victim: Job, app: Database, system: Database) -> None:
    names = await partitions(system)
    assert len(names) >= 3 * 9
    for name in names:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with app.transaction(victim.tenant) as connection:
                await connection.fetch(f"SELECT * FROM {name}")  # noqa: S608 - from the catalog


@pytest.mark.parametrize("call", ["drop_job_partitions(current_date)", "has_open_jobs($1, $1)"])
async def test_functions_that_see_every_tenant_are_not_for_the_application(
    call: str, victim: Job, app: Database
) -> None:
    arguments = [victim.id] if "$1" in call else []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with app.transaction(victim.tenant) as connection:
            await connection.fetch(f"SELECT {call}", *arguments)
