"""What the fleet says afterwards: its database, and the provider that it called."""

import asyncio

import aiohttp
import psycopg
from psycopg.rows import dict_row
from pydantic import BaseModel, ConfigDict

from shared.contracts.ids import public_id

_JOBS = """
SELECT id, status, background, metadata->>'key' AS key, last_event, attempt, ambiguous_attempts, result,
       failure->>'code' AS failure, floor(extract(epoch FROM finished_at))::bigint AS finished_at,
       extract(epoch FROM deadline_at)::float8 AS deadline_at,
       (SELECT count(*) FROM job_attempts a WHERE a.job_id = j.id) AS starts,
       webhook IS NOT NULL AS webhook
FROM jobs j
"""
_EVENTS = "SELECT job_id, sequence, type, data FROM job_events ORDER BY job_id, sequence"
_OUTBOX = "SELECT job_id FROM outbox"
_UNTOLD = """
SELECT d.event_id FROM webhook_deliveries d
WHERE d.status <> 'delivered' OR d.id IN (SELECT delivery_id FROM webhook_queue)
"""
OPEN = "SELECT count(*) FROM jobs WHERE status IN ('queued', 'in_progress')"


Span = tuple[float, float | None]
"""When a call began and ended, in seconds since 1970; None: it had not ended."""


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
    starts: int = 1
    """Rows of ``job_attempts``."""
    result: str | None = None
    failure: str | None = None
    finished_at: int | None = None
    deadline_at: float = float("inf")
    """Seconds since 1970."""
    webhook: bool = False
    """Whether it names a URL that is told of its end."""


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
    untold: tuple[str, ...] = ()
    """The ``webhook-id`` of each delivery that is pending, or was given up."""
    spans: dict[str, tuple[Span, ...]] = {}
    """When the provider was called for each key."""

    def calls(self, key: str) -> int:
        """How often the provider was called for a key."""
        return len(self.spans.get(key, ()))


async def gather_evidence(postgres_url: str, simulator_url: str) -> Evidence:
    """Read it all; the fleet is at rest."""
    stored = await asyncio.to_thread(_read, postgres_url)
    async with aiohttp.request("GET", f"{simulator_url}/simulator/spans") as answer:
        spans = await answer.json()
    return Evidence.model_validate({**dict(stored), "spans": spans})


def _read(url: str) -> Evidence:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        jobs = tuple(
            JobRow.model_validate(row | {"id": public_id("job", row["id"])})
            for row in connection.execute(_JOBS)
        )
        events = tuple(
            EventRow.model_validate(row | {"job_id": public_id("job", row["job_id"])})
            for row in connection.execute(_EVENTS)
        )
        outbox = tuple(public_id("job", row["job_id"]) for row in connection.execute(_OUTBOX))
        untold = tuple(public_id("msg", row["event_id"]) for row in connection.execute(_UNTOLD))
    return Evidence(jobs=jobs, events=events, outbox=outbox, untold=untold)
