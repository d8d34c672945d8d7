"""The relational store for tests: a migrated database, both roles, and jobs in it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from shared.config.settings import PostgresSettings
from shared.contracts.ids import new_id
from shared.contracts.jobs import (
    Failure,
    JobDeferred,
    JobDelta,
    JobFinished,
    JobStarted,
    JobStatus,
    Lane,
    Operation,
    Usage,
)
from shared.storage.migrate import migrate
from shared.storage.postgres import Database

_INSERT_JOB = """
INSERT INTO jobs (id, tenant_id, request_id, operation, lane, model, status, background, request, traceparent,
                  created_at, deadline_at, max_attempts)
VALUES ($1, $2, 'req-1', 'chat', 'standard', 'simulator/echo', 'queued', true, $3, $4, now(), $5, 3)
"""
_INSERT_OUTBOX = "INSERT INTO outbox (job_id, tenant_id, due_at, published_at) VALUES ($1, $2, $3, $4)"
_INSERT_EVENT = """
INSERT INTO job_events (job_id, sequence, tenant_id, type, data) VALUES ($1, 1, $2, 'job.queued', '{}')
"""
LIMIT_S = 10.0


@pytest.fixture(scope="module")
def migrated_url(fresh_database: Callable[[], str]) -> str:
    url = fresh_database()
    asyncio.run(migrate(url))
    return url


@pytest.fixture
async def system(migrated_url: str) -> AsyncGenerator[Database, None]:
    async with Database(settings_for(migrated_url), role="penstock_system", name="test") as database:
        yield database


@pytest.fixture
async def app(migrated_url: str) -> AsyncGenerator[Database, None]:
    async with Database(settings_for(migrated_url), role="penstock_app", name="test") as database:
        yield database


@pytest.fixture
def jobs(app: Database, system: Database) -> "Jobs":
    return Jobs(app, system)


def settings_for(url: str) -> PostgresSettings:
    return PostgresSettings(url=SecretStr(url))


async def until(condition: Callable[[], Any], *, limit_s: float = LIMIT_S, every_s: float = 0.02) -> Any:
    """Poll an async condition until it is true, within a bound."""
    async with asyncio.timeout(limit_s):
        found = await condition()
        while not found:
            await asyncio.sleep(every_s)
            found = await condition()
        return found


@dataclass(frozen=True)
class Job:
    """A submitted job, and the messages about it."""

    id: UUID
    tenant: UUID

    def started(self, start: UUID, *, attempt: int = 1) -> JobStarted:
        return JobStarted(
            job_id=self.id,
            tenant_id=self.tenant,
            attempt=attempt,
            start_id=start,
            worker="worker-1",
            started_at=datetime.now(UTC),
        )

    def delta(self, start: UUID, sequence: int, body: bytes = b'{"n":1}') -> JobDelta:
        return JobDelta(job_id=self.id, tenant_id=self.tenant, start_id=start, sequence=sequence, body=body)

    def deferred(self, start: UUID, *, attempt: int = 1, **fields: Any) -> JobDeferred:
        values: dict[str, Any] = {
            "retry_at": datetime.now(UTC) + timedelta(seconds=30),
            "failure": Failure(code="provider_unavailable", message="503"),
            "provider": "simulator",
            **fields,
        }
        return JobDeferred(job_id=self.id, tenant_id=self.tenant, attempt=attempt, start_id=start, **values)

    def finished(
        self, start: UUID | None, status: JobStatus = JobStatus.COMPLETED, **fields: Any
    ) -> JobFinished:
        values: dict[str, Any] = {
            "background": True,
            "attempt": 1,
            "request_id": "req-1",
            "provider": "simulator",
            "provider_model": "echo",
            "usage": Usage(input_tokens=3, output_tokens=5, cost_microusd=7),
            "failure": None if status is JobStatus.COMPLETED else Failure(code="x", message="why"),
            "body": b'{"id":"1"}' if status is JobStatus.COMPLETED else b"",
            **fields,
        }
        now = datetime.now(UTC)
        return JobFinished(
            job_id=self.id,
            tenant_id=self.tenant,
            operation=Operation.CHAT,
            lane=Lane.STANDARD,
            model="simulator/echo",
            status=status,
            start_id=start,
            created_at=now,
            finished_at=now,
            **values,
        )


class Jobs:
    """Submits jobs as ingress does and reads what is recorded of them."""

    def __init__(self, app: Database, system: Database) -> None:
        self._app = app
        self._system = system

    async def submit(
        self,
        *,
        tenant: UUID | None = None,
        request: str = '{"messages":[]}',
        due_in_s: float = 0,
        deadline_in_s: float = 600,
        published: bool = False,
    ) -> Job:
        now = datetime.now(UTC)
        job = Job(new_id(), tenant or new_id())
        deadline = now + timedelta(seconds=deadline_in_s)
        async with self._app.transaction(job.tenant) as connection:
            await connection.execute(_INSERT_JOB, job.id, job.tenant, request, "00-abc-def-01", deadline)
            await connection.execute(
                _INSERT_OUTBOX,
                job.id,
                job.tenant,
                now + timedelta(seconds=due_in_s),
                now if published else None,
            )
            await connection.execute(_INSERT_EVENT, job.id, job.tenant)
            await connection.execute("UPDATE jobs SET last_event = 1 WHERE id = $1", job.id)
        return job

    async def row(self, job: Job) -> dict[str, Any]:
        (row,) = await self._fetch("SELECT * FROM jobs WHERE id = $1", job.id)
        return row

    async def events(self, job: Job) -> list[tuple[int, str, str]]:
        rows = await self._fetch("SELECT * FROM job_events WHERE job_id = $1 ORDER BY sequence", job.id)
        return [(row["sequence"], row["type"], row["data"]) for row in rows]

    async def event_types(self, job: Job) -> list[str]:
        """Names of the events; asserts that their numbers have no gap."""
        events = await self.events(job)
        assert [sequence for sequence, _, _ in events] == list(range(1, len(events) + 1))
        return [event_type for _, event_type, _ in events]

    async def attempts(self, job: Job) -> dict[UUID, dict[str, Any]]:
        rows = await self._fetch("SELECT * FROM job_attempts WHERE job_id = $1", job.id)
        return {row["start_id"]: row for row in rows}

    async def outbox(self, job: Job) -> dict[str, Any] | None:
        rows = await self._fetch("SELECT * FROM outbox WHERE job_id = $1", job.id)
        return rows[0] if rows else None

    async def execute(self, statement: str, *arguments: Any) -> None:
        async with self._system.transaction() as connection:
            await connection.execute(statement, *arguments)

    async def _fetch(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        async with self._system.transaction() as connection:
            return [dict(row) for row in await connection.fetch(statement, *arguments)]
