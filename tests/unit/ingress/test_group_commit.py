"""Submissions that cannot be committed."""

import asyncio
import gc
import weakref
from contextlib import asynccontextmanager

import asyncpg
import pytest

from services.ingress.adapters.group_commit import GroupCommit
from services.ingress.domain.new_job import NewJob
from shared.contracts.ids import new_id
from shared.errors import DatabaseUnavailableError

TENANT = new_id()


class Down:
    """A database that is away."""

    @asynccontextmanager
    async def connection(self):
        raise DatabaseUnavailableError("away")
        yield

    transaction = connection


class Failing:
    """A database that refuses a statement, and then is away."""

    def __init__(self):
        self.asked = 0

    @asynccontextmanager
    async def connection(self):
        self.asked += 1
        raise asyncpg.DataError("no") if self.asked == 1 else DatabaseUnavailableError("away")
        yield


class Body:
    """Stands for what the frames of a submission hold."""


def a_job():
    job = object.__new__(NewJob)
    object.__setattr__(job, "tenant_id", TENANT)
    return job


async def test_submissions_that_fail_together_are_gone_with_their_frames():
    commits = GroupCommit(Down(), lambda _: None, max_batch=10, max_waiting=10)
    job = a_job()

    async def submit():
        body = Body()
        with pytest.raises(DatabaseUnavailableError):
            await commits.submit(job)
        return weakref.ref(body)

    gc.disable()
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(commits.run())
            bodies = await asyncio.gather(submit(), submit())
            running.cancel()
    finally:
        gc.enable()
    assert [body() for body in bodies] == [None, None]


async def test_an_outage_while_the_one_at_fault_is_looked_for_is_told_to_all_at_once():
    database = Failing()
    commits = GroupCommit(database, lambda _: None, max_batch=10, max_waiting=10)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(commits.run())
        submitted = [commits.submit(a_job()) for _ in range(5)]
        outcomes = await asyncio.gather(*submitted, return_exceptions=True)
        running.cancel()
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailableError] * 5
    assert database.asked == 2
