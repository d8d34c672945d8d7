"""The files of batches: what they read, and what they write."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from services.scheduler.adapters.batch_rows import changing
from services.scheduler.domain.batch import Batch
from services.scheduler.domain.batch_input import Read
from services.scheduler.domain.batch_output import Gathered
from shared.contracts.batches import FilePurpose
from shared.contracts.ids import new_id
from shared.errors import NotFoundError
from shared.storage.file_rows import append_parts, begin_file, parts_of
from shared.storage.files import FilePart, FileStore
from shared.storage.postgres import Connection, Database

REMEMBERED = 100
"""Inputs whose parts are known without asking."""

_GATHERED = """
UPDATE batches SET
    gathered = $2,
    completed = completed + $3,
    failed = failed + $4,
    expired = expired + $5,
    input_tokens = input_tokens + $6,
    output_tokens = output_tokens + $7,
    cached_tokens = cached_tokens + $8,
    reasoning_tokens = reasoning_tokens + $9,
    output_file_id = $10,
    error_file_id = $11,
    inserted = greatest(inserted, $2),
    input_offset = coalesce($12, input_offset)
WHERE id = $1
"""


class StoredInputs:
    """Input files, whose parts never change."""

    def __init__(self, database: Database, store: FileStore) -> None:
        self._database = database
        self._store = store
        self._parts: dict[UUID, Sequence[FilePart]] = {}

    async def reader(self, file_id: UUID) -> Read:
        """See ``BatchInputs.reader``."""
        parts = self._parts.get(file_id)
        if parts is None:
            async with self._database.connection() as connection:
                parts = await parts_of(connection, file_id)
                if not parts and not await connection.fetchval("SELECT 1 FROM files WHERE id = $1", file_id):
                    raise NotFoundError("The input file is gone.")
            if len(self._parts) >= REMEMBERED:
                self._parts.pop(next(iter(self._parts)))
            self._parts[file_id] = parts
        return partial(self._store.read, parts)


class StoredOutputs:
    """Output and error files, which grow by a part in the transaction that notes what is in it.

    A part is put before, so one whose transaction fails is nobody's; it is removed with its file.
    """

    def __init__(self, database: Database, store: FileStore) -> None:
        self._database = database
        self._store = store

    async def append(self, batch: Batch, gathered: Gathered, *, offset: int | None = None) -> Batch:
        """See ``BatchOutputs.append``."""
        output_id, output = await self._put(batch, batch.output_file_id, gathered.output)
        error_id, errors = await self._put(batch, batch.error_file_id, gathered.errors)
        async with changing(self._database, batch) as connection:
            await _add(connection, batch, batch.output_file_id, output_id, output)
            await _add(connection, batch, batch.error_file_id, error_id, errors)
            await connection.execute(
                _GATHERED,
                batch.id,
                gathered.last_line,
                len(gathered.output),
                len(gathered.errors),
                gathered.expired,
                gathered.input_tokens,
                gathered.output_tokens,
                gathered.cached_tokens,
                gathered.reasoning_tokens,
                output_id,
                error_id,
                offset,
            )
        return replace(
            batch,
            revision=batch.revision + 1,
            output_file_id=output_id,
            error_file_id=error_id,
            gathered=gathered.last_line,
            completed=batch.completed + len(gathered.output),
            expired=batch.expired + gathered.expired,
            inserted=max(batch.inserted, gathered.last_line),
            input_offset=batch.input_offset if offset is None else offset,
        )

    async def _put(
        self, batch: Batch, file_id: UUID | None, lines: Sequence[bytes]
    ) -> tuple[UUID | None, FilePart | None]:
        if not lines:
            return file_id, None
        file_id = file_id or new_id()
        return file_id, await self._store.put(b"".join(lines), tenant_id=batch.tenant_id, file_id=file_id)


async def _add(
    connection: Connection, batch: Batch, known: UUID | None, file_id: UUID | None, part: FilePart | None
) -> None:
    if file_id is None or part is None:
        return
    if known is None:
        await begin_file(
            connection,
            file_id,
            tenant_id=batch.tenant_id,
            created_at=datetime.now(UTC),
            purpose=FilePurpose.BATCH_OUTPUT,
        )
    await append_parts(connection, file_id, tenant_id=batch.tenant_id, parts=[part])
