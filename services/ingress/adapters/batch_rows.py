"""Batches as PostgreSQL has them; every statement sees one tenant only."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import orjson

from services.ingress.adapters.patience import database_patience
from services.ingress.domain.batch_submission import BatchSubmission
from services.ingress.domain.page import PageFilter
from shared.contracts.batches import FilePurpose, public_file_id
from shared.contracts.ids import new_id
from shared.errors import InvalidRequestError, NotFoundError
from shared.storage.batch_object import BATCH_COLUMNS, Batch, batch_of
from shared.storage.postgres import Connection, Database

_INPUT = """
SELECT purpose FROM files WHERE id = $1 AND state = 'ready' AND (expires_at IS NULL OR expires_at > now())
FOR SHARE
"""
_INSERT = """
INSERT INTO batches (id, tenant_id, status, endpoint, completion_window, input_file_id, output_expires_s,
                     metadata, request_id, traceparent, created_at, expires_at)
VALUES ($1, $2, 'validating', $3, $4, $5, $6, $7::jsonb, $8, $9, $10, $11)
"""
# What the scheduler has not written down yet is counted here.
_COLUMNS = f"""{BATCH_COLUMNS},
    b.completed + coalesce(n.completed, 0) AS completed, b.failed + coalesce(n.failed, 0) AS failed"""
_NEW_ENDS = """LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE j.status = 'completed')::integer AS completed,
           count(*) FILTER (WHERE j.status NOT IN ('completed', 'queued', 'in_progress'))::integer AS failed
    FROM jobs j
    WHERE j.batch_id = b.id AND j.batch_line > b.gathered AND b.gathered < b.inserted
) n ON true"""
_GET = f"SELECT {_COLUMNS} FROM batches b {_NEW_ENDS} WHERE b.id = $1"  # noqa: S608 - a constant
_PAGE = f"""SELECT {_COLUMNS} FROM batches b {_NEW_ENDS}
WHERE b.tenant_id = $1 AND ($2::uuid IS NULL OR b.id < $2) ORDER BY b.id DESC LIMIT $3"""  # noqa: S608 - a constant
_CANCEL = """
UPDATE batches SET status = 'cancelling', cancelling_at = $2, revision = revision + 1
WHERE id = $1 AND status IN ('validating', 'in_progress', 'finalizing') RETURNING id
"""


class BatchRows:
    """Batches of tenants; every method raises DatabaseUnavailableError within two seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        tenant_id: UUID,
        submission: BatchSubmission,
        *,
        created_at: datetime,
        request_id: str,
        headers: Mapping[str, str],
    ) -> Batch:
        """Return the batch when it is durable; the scheduler finds it.

        Raises:
            NotFoundError: There is no such input.
            InvalidRequestError: The file was not uploaded for batches.
        """
        batch_id = new_id()
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            await _check_input(connection, submission.input_file_id)
            await connection.execute(
                _INSERT,
                batch_id,
                tenant_id,
                submission.endpoint,
                submission.completion_window,
                submission.input_file_id,
                submission.output_expires_s,
                None if submission.metadata is None else orjson.dumps(submission.metadata).decode(),
                request_id,
                headers.get("traceparent"),
                created_at,
                created_at + timedelta(seconds=submission.window_s),
            )
            return _batch(await connection.fetchrow(_GET, batch_id))

    async def get(self, tenant_id: UUID, batch_id: UUID) -> Batch:
        """Return a batch.

        Raises:
            NotFoundError: There is none, or it is another tenant's.
        """
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            return _batch(await connection.fetchrow(_GET, batch_id))

    async def page(self, tenant_id: UUID, wanted: PageFilter) -> tuple[Sequence[Batch], bool]:
        """Return one page, newest first, and whether there are more."""
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            rows = await connection.fetch(_PAGE, tenant_id, wanted.after, wanted.limit + 1)
        return [_batch(row) for row in rows[: wanted.limit]], len(rows) > wanted.limit

    async def cancel(self, tenant_id: UUID, batch_id: UUID, at: datetime) -> tuple[Batch, bool]:
        """Have a batch cancelled; returns it and whether this call began that.

        Raises:
            NotFoundError: There is none, or it is another tenant's.
        """
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            begun = await connection.fetchval(_CANCEL, batch_id, at) is not None
            return _batch(await connection.fetchrow(_GET, batch_id)), begun


async def _check_input(connection: Connection, file_id: UUID) -> None:
    purpose = await connection.fetchval(_INPUT, file_id)
    if purpose is None:
        raise NotFoundError(f"No such File object: {public_file_id(file_id)}", param="input_file_id")
    if purpose != FilePurpose.BATCH:
        raise InvalidRequestError(
            f"The input file must have the purpose 'batch', not {purpose!r}.", param="input_file_id"
        )


def _batch(row: asyncpg.Record | None) -> Batch:
    if row is None:
        raise NotFoundError("There is no batch with this id.")
    return batch_of(row)
