"""Submissions that cannot be committed."""

import asyncio
import gc
import weakref
from contextlib import asynccontextmanager

import pytest

from services.ingress.adapters.group_commit import GroupCommit
from services.ingress.domain.new_job import NewJob
from shared.contracts.ids import new_id
from shared.errors import DatabaseUnavailableError


class Down:
    """A database that is away."""

    @asynccontextmanager
    async def connection(self):
        raise DatabaseUnavailableError("away")
        yield

    transaction = connection


class Body:
    """Stands for what the frames of a submission hold."""


async def test_submissions_that_fail_together_are_gone_with_their_frames():
    commits = GroupCommit(Down(), lambda _: None, max_batch=10, max_waiting=10)
    job = object.__new__(NewJob)
    object.__setattr__(job, "tenant_id", new_id())

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
