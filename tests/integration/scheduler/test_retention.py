"""Partitions ahead, retention behind."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import pytest
from pydantic import SecretStr

from services.ingress.adapters.job_changes import JobChanges
from services.ingress.domain.retrying import RetryTerms
from services.scheduler.adapters.days import Partitions
from services.scheduler.domain.retention import Retention
from shared.config.settings import ObjectSettings
from shared.contracts.ids import first_id_at, new_id
from shared.errors import DatabaseUnavailableError
from shared.storage.bodies import BodyStore
from shared.storage.migrate import migrate
from shared.storage.postgres import Connection, Database
from tests.support.store import Jobs, settings_for, until

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
def old_body(tmp_path: Path) -> Path:
    folder = tmp_path / "2020-01-02" / "t"
    folder.mkdir(parents=True)
    body = folder / "request-1"
    body.write_text("x")
    return body


async def days(system: Database) -> set[str]:
    async with system.transaction() as connection:
        rows = await connection.fetch(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'jobs'::regclass"
        )
    return {row["name"] for row in rows}


def name(offset: int) -> str:
    return f"jobs_{TODAY + timedelta(days=offset):%Y%m%d}"


async def open_job(jobs: Jobs, job_id: UUID) -> None:
    tenant = new_id()
    await jobs.execute(
        "INSERT INTO jobs (id, tenant_id, request_id, operation, lane, model, status, background, "
        "created_at, deadline_at) VALUES ($1, $2, 'r', 'chat', 'batch', 'm', 'queued', true, now(), now())",
        job_id,
        tenant,
    )
    await jobs.execute(
        "INSERT INTO outbox (job_id, tenant_id, due_at) VALUES ($1, $2, now())", job_id, tenant
    )


async def test_days_ahead_are_created_and_old_ones_dropped_with_their_bodies(
    old_body: Path, system: Database, tmp_path: Path
) -> None:
    partitions = Partitions(system)
    await partitions.ensure(TODAY.date() - timedelta(days=40), TODAY.date())
    bodies = BodyStore(ObjectSettings(url=SecretStr(f"file://{tmp_path}")))

    await Retention(days=partitions, bodies=bodies, keep_days=30, days_ahead=9)()

    assert {name(9), name(0), name(-30)} <= await days(system)
    assert name(-31) not in await days(system)
    assert await partitions.oldest() == TODAY.date() - timedelta(days=30)
    assert not await asyncio.to_thread(old_body.exists)


async def test_a_day_with_an_open_job_is_kept(jobs: Jobs, system: Database) -> None:
    partitions = Partitions(system)
    await partitions.ensure(TODAY.date() - timedelta(days=45), TODAY.date())
    job_id = first_id_at(TODAY - timedelta(days=40, hours=-5))
    await open_job(jobs, job_id)

    await partitions.drop_before(TODAY.date() - timedelta(days=30))

    assert name(-40) in await days(system)
    assert not {name(-45), name(-41), name(-39)} & await days(system)
    assert await partitions.oldest() == TODAY.date() - timedelta(days=40)
    await jobs.execute("DELETE FROM outbox WHERE job_id = $1", job_id)
    assert await partitions.drop_before(TODAY.date() - timedelta(days=30)) == 1


async def test_the_day_of_a_job_that_is_being_retried_is_kept(
    jobs: Jobs, system: Database, app: Database, tmp_path: Path
) -> None:
    partitions = Partitions(system)
    await partitions.ensure(TODAY.date() - timedelta(days=40), TODAY.date())
    job_id = first_id_at(TODAY - timedelta(days=40, hours=-6))
    await open_job(jobs, job_id)
    await jobs.execute("DELETE FROM outbox WHERE job_id = $1", job_id)
    await jobs.execute("UPDATE jobs SET status = 'failed' WHERE id = $1", job_id)
    changes = JobChanges(app, BodyStore(ObjectSettings(url=SecretStr(f"file://{tmp_path}"))))
    later = datetime.now(UTC) + timedelta(hours=1)
    terms = RetryTerms(more_attempts=1, deadline_at=None, default_deadline_at=later)

    async with asyncio.TaskGroup() as group, system.transaction() as busy:
        tenant: UUID = await busy.fetchval("SELECT tenant_id FROM jobs WHERE id = $1 FOR UPDATE", job_id)
        retry = group.create_task(changes.retry(tenant, [job_id], terms))
        await waiting(busy, 1)
        group.create_task(partitions.drop_before(TODAY.date() - timedelta(days=30)))
        await waiting(busy, 2)

    assert list(retry.result()) == [job_id]
    assert name(-40) in await days(system)
    assert name(-39) not in await days(system)
    await jobs.execute("DELETE FROM outbox WHERE job_id = $1", job_id)


async def waiting(connection: Connection, sessions: int) -> None:
    async def so_many() -> bool:
        count = "SELECT count(DISTINCT pid) >= $1 FROM pg_locks WHERE NOT granted"
        return bool(await connection.fetchval(count, sessions))

    await until(so_many)


async def test_a_busy_table_is_not_waited_for_long(migrated_url: str, system: Database) -> None:
    connection = await asyncpg.connect(migrated_url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE jobs IN ACCESS SHARE MODE")
            with pytest.raises(DatabaseUnavailableError):
                await Partitions(system).ensure(
                    TODAY.date() + timedelta(days=50), TODAY.date() + timedelta(days=50)
                )
    finally:
        await connection.close()


async def test_an_owner_that_is_no_superuser_keeps_days_with_open_jobs(fresh_database) -> None:
    """Row-level security is forced on the owner too: the check must not run as the owner."""
    url = urlsplit(fresh_database())
    owner = f"owner_{new_id().hex}"
    superuser = await asyncpg.connect(url.geturl())
    await superuser.execute(f"""
        CREATE ROLE {owner} LOGIN PASSWORD 'p';
        ALTER DATABASE {url.path[1:]} OWNER TO {owner};
        GRANT penstock_app, penstock_system TO {owner} WITH ADMIN OPTION;
    """)
    await superuser.close()
    plain = url._replace(netloc=f"{owner}:p@{url.netloc.rpartition('@')[2]}").geturl()
    await migrate(plain)
    async with (
        Database(settings_for(plain), role="penstock_system", name="t") as system,
        Database(settings_for(plain), role="penstock_app", name="t") as app,
    ):
        partitions = Partitions(system)
        await partitions.ensure(TODAY.date() - timedelta(days=41), TODAY.date())
        await open_job(Jobs(app, system), first_id_at(TODAY - timedelta(days=40)))
        await partitions.drop_before(TODAY.date() - timedelta(days=30))
        assert name(-40) in await days(system)
        assert name(-41) not in await days(system)
