"""What the fleet says afterwards: its database, and the provider that it called."""

import asyncio
from collections.abc import Iterable

import aiohttp
import psycopg
from psycopg.rows import dict_row
from pydantic import BaseModel, ConfigDict

from shared.contracts.ids import public_id

_JOBS = """
SELECT id, status, background, metadata->>'key' AS key, last_event, attempt, ambiguous_attempts, result,
       failure->>'code' AS failure, floor(extract(epoch FROM finished_at))::bigint AS finished_at
FROM jobs
"""
_EVENTS = "SELECT job_id, sequence, type, data FROM job_events ORDER BY job_id, sequence"
_OUTBOX = "SELECT job_id FROM outbox"
OPEN = "SELECT count(*) FROM jobs WHERE status IN ('queued', 'in_progress')"


class JobRow(BaseModel):
    """A row of ``jobs``."""

    model_config = ConfigDict(frozen=True)

    id: str
    """As the API spells it."""
    status: str
    background: bool = True
    key: str | None
    last_event: int
    attempt: int = 1
    ambiguous_attempts: int = 0
    result: str | None = None
    failure: str | None = None
    finished_at: int | None = None


class EventRow(BaseModel):
    """A row of ``job_events``."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    sequence: int
    type: str
    data: str = "{}"


class Evidence(BaseModel):
    """Everything that the checker needs to know of the fleet."""

    model_config = ConfigDict(frozen=True)

    jobs: tuple[JobRow, ...]
    events: tuple[EventRow, ...]
    outbox: tuple[str, ...] = ()
    calls: dict[str, int] = {}
    """How often the provider was called for each key."""


async def gather_evidence(postgres_url: str, simulator_url: str) -> Evidence:
    """Read it all; the fleet is at rest."""
    jobs, events, outbox = await asyncio.to_thread(_read, postgres_url)
    keys = [job.key for job in jobs if job.key is not None]
    return Evidence(
        jobs=tuple(jobs), events=tuple(events), outbox=outbox, calls=await _calls(simulator_url, keys)
    )


def _read(url: str) -> tuple[list[JobRow], list[EventRow], tuple[str, ...]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        jobs = [
            JobRow.model_validate(row | {"id": public_id("job", row["id"])})
            for row in connection.execute(_JOBS)
        ]
        events = [
            EventRow.model_validate(row | {"job_id": public_id("job", row["job_id"])})
            for row in connection.execute(_EVENTS)
        ]
        outbox = tuple(public_id("job", row["job_id"]) for row in connection.execute(_OUTBOX))
    return jobs, events, outbox


async def _calls(simulator_url: str, keys: Iterable[str]) -> dict[str, int]:
    counts = {}
    async with aiohttp.ClientSession(simulator_url) as session:
        for key in keys:
            async with session.get("/simulator/calls", params={"key": key}) as answer:
                counts[key] = int((await answer.json())["calls"])
    return counts
