"""A fleet that is given more jobs than it has run, and what becomes of its processes' memory meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import asyncpg
import psutil

from services.cli.data_dir import DataDir
from services.cli.embedded import POSTGRES, embedded_engine
from shared.config.settings import BrokerSettings
from shared.messaging.broker import Broker
from shared.messaging.factory import make_broker
from tests.support.fleet import Fleet

CONNECTIONS = 64
JOB = {
    "operation": "chat",
    "input": {"model": "simulator/echo", "messages": [{"role": "user", "content": "one of very many"}]},
}
_PROGRESS = """
SELECT count(*) AS open, count(*) FILTER (WHERE published_at IS NULL) AS unpublished,
       coalesce(max(publication), 1) AS publications
FROM outbox
"""
_ENDS = """
SELECT (SELECT count(*) FROM jobs) AS jobs,
       (SELECT count(*) FROM jobs WHERE status = 'completed') AS completed,
       (SELECT coalesce(sum(ambiguous_attempts), 0) FROM jobs) AS ambiguous,
       (SELECT count(*) FROM job_attempts) AS calls,
       (SELECT count(*) FROM job_events WHERE type = 'job.completed') AS ends,
       (SELECT count(DISTINCT job_id) FROM job_events WHERE type = 'job.completed') AS ended
"""
Memory = Mapping[str, float]
"""Megabytes that are a process's own, by its name."""


class Backlog:
    """Submits jobs and watches them.

    Args:
        fleet: Running, with PostgreSQL embedded.
        database: To its PostgreSQL, as superuser.
        broker: Connected to its broker.
    """

    def __init__(self, fleet: Fleet, database: asyncpg.Connection, broker: Broker) -> None:
        self._fleet = fleet
        self._database = database
        self.broker = broker

    async def submit(self, count: int) -> None:
        """Have jobs accepted, over many connections."""
        left = iter(range(count))
        headers = {"Authorization": f"Bearer {self._fleet.api_key}"}
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        async with aiohttp.ClientSession(connector=connector, headers=headers) as http:

            async def one_after_another() -> None:
                for _ in left:
                    async with http.post(f"{self._fleet.url}/v1/jobs", json=JOB) as answer:
                        assert answer.status == 202, await answer.text()
                        await answer.read()

            async with asyncio.TaskGroup() as group:
                for _ in range(CONNECTIONS):
                    group.create_task(one_after_another())

    async def progress(self) -> Mapping[str, int]:
        """Count what is open."""
        return dict(await self._database.fetchrow(_PROGRESS))

    async def ends(self) -> Mapping[str, int]:
        """Count how jobs ended."""
        return dict(await self._database.fetchrow(_ENDS))

    def memory(self) -> Memory:
        """Measure every service and Valkey."""
        status = self._fleet.status()
        processes = [*status["services"], *(each for each in status["engines"] if each["name"] != POSTGRES)]
        return {each["name"]: psutil.Process(each["pid"]).memory_full_info().uss / 1e6 for each in processes}


@asynccontextmanager
async def backlog_of(fleet: Fleet) -> AsyncIterator[Backlog]:
    """Connect to a fleet's database and broker."""
    postgres = embedded_engine(POSTGRES, DataDir(fleet.data_dir)).url
    url = fleet.environment.get("PENSTOCK_BROKER__URL", postgres)
    broker = make_broker(BrokerSettings.model_validate({"url": url}), name="backlog")
    database = await asyncpg.connect(postgres)
    await broker.connect()
    try:
        yield Backlog(fleet, database, broker)
    finally:
        await broker.close()
        await database.close()
