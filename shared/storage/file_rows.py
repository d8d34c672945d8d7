"""Rows of files and of their parts, as every service that writes files uses them.

Each function runs as either role inside the caller's transaction; ``penstock_app`` sees its tenant's files.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from shared.contracts.batches import FilePurpose
from shared.storage.files import FilePart
from shared.storage.postgres import Connection

_BEGIN = """
INSERT INTO files (id, tenant_id, purpose, filename, state, created_at) VALUES ($1, $2, $3, $4, 'writing', $5)
"""
_APPEND = """
WITH added AS (
    INSERT INTO file_parts (file_id, number, tenant_id, ref, bytes)
    SELECT $1, (SELECT count(*) FROM file_parts WHERE file_id = $1) + p.number - 1, $2, p.ref, p.bytes
    FROM unnest($3::text[], $4::integer[]) WITH ORDINALITY AS p(ref, bytes, number)
)
UPDATE files SET bytes = bytes + $5, touched_at = now() WHERE id = $1
"""
_FINISH = """
UPDATE files SET state = 'ready', purpose = $2, filename = $3, expires_at = $4, touched_at = now()
WHERE id = $1 AND state = 'writing'
"""
_PARTS = "SELECT ref, bytes FROM file_parts WHERE file_id = $1 ORDER BY number"


async def begin_file(
    connection: Connection,
    file_id: UUID,
    *,
    tenant_id: UUID,
    created_at: datetime,
    purpose: FilePurpose | None = None,
    filename: str = "",
) -> None:
    """Note that a file is being written; nobody sees it yet, and what is left of it is removed one day."""
    await connection.execute(_BEGIN, file_id, tenant_id, purpose or "", filename, created_at)


async def append_parts(
    connection: Connection, file_id: UUID, *, tenant_id: UUID, parts: Sequence[FilePart]
) -> None:
    """Add parts at the end; the caller sees to it that nobody else does at the same time."""
    await connection.execute(
        _APPEND,
        file_id,
        tenant_id,
        [part.ref for part in parts],
        [part.bytes for part in parts],
        sum(part.bytes for part in parts),
    )


async def finish_file(
    connection: Connection,
    file_id: UUID,
    *,
    purpose: FilePurpose,
    filename: str,
    expires_at: datetime | None,
) -> None:
    """Let the file be seen."""
    await connection.execute(_FINISH, file_id, purpose.value, filename, expires_at)


async def parts_of(connection: Connection, file_id: UUID) -> Sequence[FilePart]:
    """Return a file's parts in their order."""
    return [FilePart(row["ref"], row["bytes"]) for row in await connection.fetch(_PARTS, file_id)]
