"""Batches in a database, the scheduler's task that runs them, and a stand-in for the workers."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from redis.asyncio import Redis

from services.scheduler.app import tasks_of
from services.scheduler.domain.batch_work import BatchWork
from services.scheduler.settings import SchedulerSettings
from shared.contracts.batches import FilePurpose
from shared.contracts.ids import new_id
from shared.contracts.jobs import JobStatus, Usage
from shared.messaging.broker import Broker
from shared.storage.file_rows import append_parts, begin_file, finish_file, parts_of
from shared.storage.files import FileStore
from shared.storage.postgres import Database
from shared.storage.transitions import JobEnd, finish_jobs

URL = "/v1/chat/completions"
_INSERT = """
INSERT INTO batches (id, tenant_id, status, endpoint, completion_window, input_file_id, request_id,
                     created_at, expires_at)
VALUES ($1, $2, 'validating', $3, '1h', $4, 'req-1', now(), now() + $5::interval)
"""
_OPEN = "SELECT id FROM jobs WHERE batch_id = $1 AND status = 'queued' ORDER BY batch_line LIMIT $2"


def request(custom_id: str, **body: Any) -> str:
    whole = {"model": "sim/echo", "messages": [], **body}
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": URL, "body": whole})


@dataclass
class Harness:
    """Everything that a test of batches needs.

    Args:
        settings: Of the scheduler, with a provider ``sim``.
        system: Acts as ``penstock_system``.
        broker: Connected.
        redis: Keeps the marks of cancelled jobs.
    """

    settings: SchedulerSettings
    system: Database
    broker: Broker
    redis: Redis

    def __post_init__(self) -> None:
        self.tenant = new_id()
        self.store = FileStore(self.settings.objects)

    async def submit(self, texts: Iterable[str], *, window_s: float = 3600) -> UUID:
        """Upload an input in parts of ten bytes and create its batch."""
        content = "".join(f"{text}\n" for text in texts).encode()
        file_id, batch_id = new_id(), new_id()
        half = len(content) // 2
        parts = [
            await self.store.put(data, tenant_id=self.tenant, file_id=file_id)
            for data in (content[:half], content[half:])
        ]
        now = datetime.now(UTC)
        async with self.system.transaction() as connection:
            await begin_file(connection, file_id, tenant_id=self.tenant, created_at=now)
            await append_parts(connection, file_id, tenant_id=self.tenant, parts=parts)
            await finish_file(
                connection, file_id, purpose=FilePurpose.BATCH, filename="in.jsonl", expires_at=None
            )
            window = timedelta(seconds=window_s)
            await connection.execute(_INSERT, batch_id, self.tenant, URL, file_id, window)
        return batch_id

    def leader(self) -> BatchWork:
        """Make the task as another leader would have it: with nothing remembered."""
        for rounds in tasks_of(self.settings, self.system, self.broker, self.redis):
            if isinstance(rounds.task, BatchWork):
                return rounds.task
        raise AssertionError("the scheduler has no such task")

    async def work(self, batch_id: UUID, *statuses: str, rounds: int = 40) -> dict[str, Any]:
        """Go round until the batch has one of these statuses, after the check with a new leader each time."""
        leader = self.leader()
        for _ in range(rounds):
            await leader()
            row = await self.row(batch_id)
            if row["status"] != "validating":  # what is known of the input is only remembered
                leader = self.leader()
            if row["status"] in statuses:
                return row
        raise AssertionError(f"still {row['status']}")

    async def answer(self, batch_id: UUID, most: int, status: JobStatus = JobStatus.COMPLETED) -> int:
        """End some open jobs, as results would; returns how many."""
        async with self.system.transaction() as connection:
            rows = await connection.fetch(_OPEN, batch_id, most)
            ends = [
                JobEnd(
                    job_id=row["id"],
                    status=status,
                    finished_at=datetime.now(UTC),
                    result='{"id":"1"}',
                    usage=Usage(input_tokens=1, output_tokens=2),
                )
                for row in rows
            ]
            return len(await finish_jobs(connection, ends))

    async def row(self, batch_id: UUID) -> dict[str, Any]:
        return (await self.fetch("SELECT * FROM batches WHERE id = $1", batch_id))[0]

    async def written(self, file_id: UUID | None) -> list[dict[str, Any]]:
        """Read the lines of an output or error file."""
        if file_id is None:
            return []
        async with self.system.connection() as connection:
            parts = await parts_of(connection, file_id)
        content = b"".join([piece async for piece in self.store.stream(parts, chunk_bytes=1000)])
        return [json.loads(text) for text in content.splitlines()]

    async def fetch(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        async with self.system.transaction() as connection:
            return [dict(row) for row in await connection.fetch(statement, *arguments)]
