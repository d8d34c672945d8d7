"""The fleet's background jobs, seen from its database and its broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg
from pydantic import SecretStr

from shared.config.settings import BrokerSettings
from shared.contracts.jobs import Lane, Operation
from shared.messaging.broker import Broker
from shared.messaging.factory import make_broker
from shared.messaging.topology import job_queue
from tests.benchmarks.site import Site

POLL_S = 0.2
QUEUE = job_queue(Operation.CHAT, Lane.STANDARD)

_UNFINISHED = "SELECT count(*) FROM jobs WHERE background AND status IN ('queued', 'in_progress')"
_LAST_END = "SELECT max(finished_at) FROM jobs WHERE background"
_COMPLETED = "SELECT count(*) FROM jobs WHERE background AND status = 'completed'"


class Jobs:
    """Counts jobs and waits for their ends."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def all_ended(self, *, limit_s: float) -> datetime:
        """Wait until no job is unfinished; returns when the last one ended."""
        async with asyncio.timeout(limit_s):
            unfinished = await self._connection.fetchval(_UNFINISHED)
            while unfinished:
                await asyncio.sleep(POLL_S)
                unfinished = await self._connection.fetchval(_UNFINISHED)
        last: datetime = await self._connection.fetchval(_LAST_END)
        return last

    async def completed(self) -> int:
        return int(await self._connection.fetchval(_COMPLETED))


@asynccontextmanager
async def jobs_of(site: Site) -> AsyncIterator[Jobs]:
    """Look into the fleet's database."""
    connection = await asyncpg.connect(site.postgres_url)
    try:
        yield Jobs(connection)
    finally:
        await connection.close()


@asynccontextmanager
async def broker_of(site: Site) -> AsyncIterator[Broker]:
    """Reach the fleet's broker as an operator does."""
    broker = make_broker(BrokerSettings(url=SecretStr(site.broker_url)), name="benchmark")
    await broker.connect()
    try:
        yield broker
    finally:
        await broker.close()
