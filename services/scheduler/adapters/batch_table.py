"""Batches and their jobs, in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson

from services.scheduler.adapters.batch_jobs import insert_jobs, read_ended_jobs
from services.scheduler.adapters.batch_rows import change_status, changing, open_batches
from services.scheduler.adapters.provider_batch_table import add_to_provider_batch
from services.scheduler.domain.batch import Batch, EndedJob, NewBatchJob
from services.scheduler.domain.batch_validation import Error
from services.scheduler.domain.slack import SlackPart
from shared.contracts.batches import BATCH_PREFIX, BatchStatus, FilePurpose
from shared.contracts.ids import public_id
from shared.storage.file_rows import finish_file
from shared.storage.postgres import Connection, Database

_START = "UPDATE batches SET model = $2, total = $3 WHERE id = $1"
_FAIL = "UPDATE batches SET errors = $2::jsonb WHERE id = $1"
_INSERTED = "UPDATE batches SET inserted = inserted + $2, input_offset = $3 WHERE id = $1"
_CREATED = "SELECT created_at FROM files WHERE id = $1"


class BatchTable:
    """The batches of every tenant.

    Args:
        database: Acts as ``penstock_system``.
        attempts: Tries of each job.
        output_s: How long output files are kept whose batch does not say.
    """

    def __init__(self, database: Database, *, attempts: int, output_s: float) -> None:
        self._database = database
        self._attempts = attempts
        self._output_s = output_s

    async def open(self) -> Sequence[Batch]:
        """See ``Batches.open``."""
        return await open_batches(self._database)

    async def start(self, batch: Batch, *, model: str, total: int) -> Batch:
        """See ``Batches.start``."""
        async with changing(self._database, batch) as connection:
            await connection.execute(_START, batch.id, model, total)
            await change_status(connection, batch, BatchStatus.IN_PROGRESS)
        return replace(
            batch, revision=batch.revision + 1, status=BatchStatus.IN_PROGRESS, model=model, total=total
        )

    async def fail(self, batch: Batch, errors: Sequence[Error]) -> None:
        """See ``Batches.fail``."""
        async with changing(self._database, batch) as connection:
            await connection.execute(_FAIL, batch.id, orjson.dumps(errors).decode())
            await change_status(connection, batch, BatchStatus.FAILED)

    async def insert(
        self, batch: Batch, jobs: Sequence[NewBatchJob], *, offset: int, slack: SlackPart | None = None
    ) -> Batch:
        """See ``Batches.insert``."""
        due_at = None if slack is None else slack.slack.live_at
        async with changing(self._database, batch) as connection:
            await insert_jobs(connection, batch, jobs, attempts=self._attempts, due_at=due_at)
            if slack is not None:
                await add_to_provider_batch(connection, batch, slack, requests=len(jobs))
            await connection.execute(_INSERTED, batch.id, len(jobs), offset)
        first_new = batch.inserted + 1 if jobs else None
        return replace(
            batch,
            revision=batch.revision + 1,
            inserted=batch.inserted + len(jobs),
            input_offset=offset,
            open=batch.open + len(jobs),
            waiting=batch.waiting + len(jobs),
            first_open=first_new if batch.first_open is None else batch.first_open,
        )

    async def ended_jobs(self, batch: Batch, *, most: int, most_bytes: int) -> Sequence[EndedJob]:
        """See ``Batches.ended_jobs``."""
        async with self._database.connection() as connection:
            return await read_ended_jobs(connection, batch, most=most, most_bytes=most_bytes)

    async def finalize(self, batch: Batch) -> Batch:
        """See ``Batches.finalize``."""
        async with changing(self._database, batch) as connection:
            await change_status(connection, batch, BatchStatus.FINALIZING)
        return replace(batch, revision=batch.revision + 1, status=BatchStatus.FINALIZING)

    async def finish(self, batch: Batch, status: BatchStatus) -> None:
        """See ``Batches.finish``."""
        name = public_id(BATCH_PREFIX, batch.id)
        async with changing(self._database, batch) as connection:
            if batch.output_file_id is not None:
                await self._show(connection, batch, batch.output_file_id, f"{name}_output.jsonl")
            if batch.error_file_id is not None:
                await self._show(connection, batch, batch.error_file_id, f"{name}_error.jsonl")
            await change_status(connection, batch, status)

    async def _show(self, connection: Connection, batch: Batch, file_id: UUID, filename: str) -> None:
        created_at: datetime = await connection.fetchval(_CREATED, file_id) or datetime.now(UTC)
        keep_s = self._output_s if batch.output_expires_s is None else batch.output_expires_s
        await finish_file(
            connection,
            file_id,
            purpose=FilePurpose.BATCH_OUTPUT,
            filename=filename,
            expires_at=created_at + timedelta(seconds=keep_s),
        )
