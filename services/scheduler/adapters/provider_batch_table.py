"""Batches at providers, in PostgreSQL; and their requests, in the object store."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import orjson

from services.scheduler.domain.batch import Batch
from services.scheduler.domain.provider_batch import ProviderBatch, Step
from services.scheduler.domain.slack import SlackPart
from shared.contracts.ids import new_id
from shared.contracts.jobs import Operation
from shared.contracts.provider_batches import InputPart
from shared.storage.files import FileStore
from shared.storage.postgres import Connection, Database

# The batch is locked, so nobody else adds to it.
_ADD = """
WITH extended AS (
    UPDATE provider_batches SET last_line = $5, bytes = bytes + $6, parts = parts || $7::jsonb,
        changed_at = now(),
        state = CASE WHEN $8 OR $5 - first_line + 1 >= $9 OR bytes + $6 >= $10 THEN 'open' ELSE 'filling' END
    WHERE batch_id = $3 AND state = 'filling'
    RETURNING id
)
INSERT INTO provider_batches (id, tenant_id, batch_id, operation, model, first_line, last_line, bytes, parts,
                              recall_at, live_at, state)
SELECT $1, $2, $3, $13, $14, $4, $5, $6, $7::jsonb, $11, $12,
       CASE WHEN $8 OR $5 - $4 + 1 >= $9 OR $6 >= $10 THEN 'open' ELSE 'filling' END
WHERE NOT EXISTS (SELECT FROM extended)
"""
_CLAIM = """
WITH due AS (
    SELECT id FROM provider_batches
    WHERE next_look_at <= now()
      AND (state = 'open' OR state = 'filling' AND changed_at < now() - $3::interval)
    ORDER BY next_look_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE provider_batches p SET state = 'open', revision = p.revision + 1, next_look_at = $1
FROM due, batches b WHERE p.id = due.id AND b.id = p.batch_id
RETURNING p.id, p.tenant_id, p.batch_id, p.revision, p.operation, p.model, p.parts::text AS parts,
    p.remote_id, p.output_offset, p.error_offset, p.created_at, p.recall_at, p.live_at,
    b.status NOT IN ('validating', 'in_progress') AS unwanted
"""
_NOTE = """
UPDATE provider_batches SET
    state = $3, remote_id = $4, output_offset = $5, error_offset = $6, answered = answered || $7::integer[],
    failure = $8, next_look_at = $9, changed_at = now()
WHERE id = $1 AND revision = $2
RETURNING first_line, last_line, answered
"""
# What has an end, or is on the broker already, has no such row in the outbox.
# One that is locked is about to end, and waiting for it could deadlock with whoever ends several.
_LET_GO = """
WITH unanswered AS (
    SELECT o.job_id FROM outbox o JOIN jobs j ON j.id = o.job_id
    WHERE j.batch_id = $1 AND j.batch_line BETWEEN $2 AND $3 AND j.batch_line <> ALL($4::integer[])
      AND j.status = 'queued' AND o.published_at IS NULL AND o.due_at > now()
    FOR UPDATE OF o SKIP LOCKED
)
UPDATE outbox o SET due_at = clock_timestamp() FROM unanswered u WHERE o.job_id = u.job_id
"""
_OTHERS = "SELECT EXISTS (SELECT FROM provider_batches WHERE batch_id = $1 AND state IN ('filling', 'open'))"


class SlackInputs:
    """The requests for providers, beside the batches' other files; all of one batch are removed together."""

    def __init__(self, store: FileStore) -> None:
        self._store = store

    async def put(self, batch: Batch, data: bytes) -> InputPart:
        """See ``SlackInputs.put`` of the ports."""
        part = await self._store.put(data, tenant_id=batch.tenant_id, file_id=batch.id)
        return InputPart(ref=part.ref, bytes=part.bytes)


class ProviderBatchTable:
    """The rows of every tenant.

    Args:
        database: Acts as ``penstock_system``.
        store: Has the requests.
        idle: A batch that nothing was added to for so long is not going to grow.
    """

    def __init__(
        self, database: Database, store: FileStore, *, idle: timedelta = timedelta(seconds=30)
    ) -> None:
        self._database = database
        self._store = store
        self._idle = idle

    async def claim(self, *, until: datetime, limit: int) -> Sequence[ProviderBatch]:
        """See ``ProviderBatches.claim``."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_CLAIM, until, limit, self._idle)
        return [_provider_batch(row) for row in rows]

    async def note(self, step: Step) -> bool:
        """See ``ProviderBatches.note``."""
        after = step.after
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(
                _NOTE,
                after.id,
                after.revision,
                step.state,
                after.remote_id,
                after.output_offset,
                after.error_offset,
                list(step.answered),
                step.failure,
                step.next_look_at,
            )
            if row is None:
                return False
            if step.over:
                await connection.execute(
                    _LET_GO, after.batch_id, row["first_line"], row["last_line"], row["answered"]
                )
        if step.state != "open":
            await self._remove_requests(after)
        return True

    async def _remove_requests(self, batch: ProviderBatch) -> None:
        async with self._database.connection() as connection:
            needed = await connection.fetchval(_OTHERS, batch.batch_id)
        if not needed:
            await self._store.remove(tenant_id=batch.tenant_id, file_id=batch.batch_id)


async def add_to_provider_batch(
    connection: Connection, batch: Batch, added: SlackPart, *, requests: int
) -> None:
    """Let the next requests be for the provider, in the transaction that makes them jobs."""
    first, last, slack = batch.inserted + 1, batch.inserted + requests, added.slack
    await connection.execute(
        _ADD,
        new_id(),
        batch.tenant_id,
        batch.id,
        first,
        last,
        added.part.bytes,
        orjson.dumps([added.part.model_dump()]).decode(),
        last >= batch.total,
        slack.max_requests,
        slack.max_bytes,
        slack.recall_at,
        slack.live_at,
        batch.operation.value,
        batch.model,
    )


def _provider_batch(row: asyncpg.Record) -> ProviderBatch:
    fields = dict(row.items())
    fields["operation"] = Operation(fields["operation"])
    fields["parts"] = tuple(InputPart(**part) for part in orjson.loads(fields["parts"]))
    return ProviderBatch(**fields)
