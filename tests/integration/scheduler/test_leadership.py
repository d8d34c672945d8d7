"""One scheduler leads; when it dies another one does."""

import asyncio
import sys
from pathlib import Path

import asyncpg
import pytest

from services.scheduler.adapters.leadership import LOCK, SessionLock
from services.scheduler.app import running
from services.scheduler.domain.watch import LeadershipLostError
from services.scheduler.settings import SchedulerSettings
from shared.errors import DatabaseUnavailableError
from shared.messaging.broker import Broker
from shared.storage.postgres import Database
from tests.support.store import Jobs, settings_for, until

HOLDERS = """
SELECT a.pid, a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()
  AND (l.classid::bigint << 32) + l.objid::bigint = $1
"""


@pytest.fixture
def lock_factory(migrated_url: str):
    return lambda name: SessionLock(settings_for(migrated_url), name=name)


async def holders(system: Database) -> list[int]:
    async with system.transaction() as connection:
        return [row["pid"] for row in await connection.fetch(HOLDERS, LOCK)]


async def kill_session(migrated_url: str, pid: int) -> None:
    connection = await asyncpg.connect(migrated_url)
    await connection.execute("SELECT pg_terminate_backend($1)", pid)
    await connection.close()


async def test_only_one_gets_the_lock_until_it_is_released(lock_factory) -> None:
    first, second = lock_factory("a"), lock_factory("b")
    assert await first.acquire()
    assert not await second.acquire()
    await first.confirm()
    await first.release()

    async def granted() -> bool:
        return await second.acquire()

    await until(granted)
    with pytest.raises(LeadershipLostError):
        await first.confirm()
    await second.release()


async def test_a_leader_whose_session_was_killed_knows_it_at_the_next_look(
    lock_factory, system: Database, migrated_url: str
) -> None:
    first, second = lock_factory("a"), lock_factory("b")
    assert await first.acquire()
    (pid,) = await holders(system)
    await kill_session(migrated_url, pid)
    with pytest.raises(LeadershipLostError):
        await first.confirm()

    async def granted() -> bool:
        return await second.acquire()

    await until(granted)
    assert not await first.acquire()
    await first.release()
    await second.release()


async def test_without_a_server_nobody_can_say_who_leads() -> None:
    with pytest.raises(DatabaseUnavailableError):
        await SessionLock(settings_for("postgresql://x@127.0.0.1:1/x"), name="a").acquire()


async def test_a_server_that_refuses_the_connection_is_an_outage_too(migrated_url: str) -> None:
    missing = settings_for(migrated_url.replace("/test_", "/no_test_"))
    with pytest.raises(DatabaseUnavailableError):
        await SessionLock(missing, name="a").acquire()


async def test_of_two_schedulers_one_works_and_the_other_takes_over(
    settings: SchedulerSettings, broker: Broker, jobs: Jobs, system: Database, migrated_url: str
) -> None:
    async def swept(job) -> bool:
        row = await jobs.outbox(job)
        return row is not None and row["published_at"] is not None

    async with running(settings), running(settings):
        for _ in range(3):
            job = await jobs.submit()
            await until(lambda job=job: swept(job))
            found = await holders(system)
            assert len(found) == 1
            await kill_session(migrated_url, found[0])

            async def another_leads(before=found) -> bool:
                return await holders(system) not in ([], before)

            await until(another_leads)


async def test_a_leader_that_stops_hands_over_at_once(
    settings: SchedulerSettings, broker: Broker, system: Database
) -> None:
    leader = running(settings)
    await leader.__aenter__()

    async def one_leads() -> list[int]:
        return await holders(system)

    before = await until(one_leads)

    async def the_other_leads() -> bool:
        return await holders(system) not in ([], before)

    async with running(settings):
        await leader.__aexit__(None, None, None)
        await until(the_other_leads, limit_s=3)


async def test_a_leader_process_that_is_killed_is_replaced(
    settings: SchedulerSettings, broker: Broker, system: Database, migrated_url: str, tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.scheduler",
        env={
            "PENSTOCK_SECRET_KEY": "x" * 32,
            "PENSTOCK_BROKER__URL": migrated_url,
            "PENSTOCK_POSTGRES__URL": migrated_url,
            "PENSTOCK_REDIS__URL": "redis://127.0.0.1:1",
            "PENSTOCK_OBJECTS__URL": f"file://{tmp_path}",
        },
        cwd=Path(__file__).parents[3],
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:

        async def one_leads() -> list[int]:
            return await holders(system)

        before = await until(one_leads, limit_s=30)
        async with running(settings):
            process.kill()

            async def the_other_leads() -> bool:
                return await holders(system) not in ([], before)

            await until(the_other_leads)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
