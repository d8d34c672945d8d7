"""Files as PostgreSQL has them; every statement sees one tenant only."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.ingress.adapters.patience import database_patience
from services.ingress.domain.file import File
from services.ingress.domain.page import PageFilter
from shared.contracts.batches import FilePurpose, public_file_id
from shared.errors import NotFoundError
from shared.storage.file_rows import append_parts, begin_file, finish_file, parts_of
from shared.storage.files import FilePart
from shared.storage.postgres import Database

_COLUMNS = "id, purpose, filename, bytes, created_at, expires_at"
_SEEN = "state = 'ready' AND (expires_at IS NULL OR expires_at > now())"
_GET = f"SELECT {_COLUMNS} FROM files WHERE id = $1 AND {_SEEN}"  # noqa: S608 - a constant
_NEWEST = f"""SELECT {_COLUMNS} FROM files
WHERE tenant_id = $1 AND {_SEEN} AND ($2::uuid IS NULL OR id < $2) AND ($3::text IS NULL OR purpose = $3)
ORDER BY id DESC LIMIT $4"""  # noqa: S608 - a constant
_OLDEST = f"""SELECT {_COLUMNS} FROM files
WHERE tenant_id = $1 AND {_SEEN} AND ($2::uuid IS NULL OR id > $2) AND ($3::text IS NULL OR purpose = $3)
ORDER BY id LIMIT $4"""  # noqa: S608 - a constant
_DELETE = f"""UPDATE files SET state = 'deleted', touched_at = now() WHERE id = $1 AND {_SEEN}
RETURNING id"""  # noqa: S608 - a constant
_ABANDON = "UPDATE files SET state = 'deleted', touched_at = now() WHERE id = $1 AND state = 'writing'"
_TOUCH = "UPDATE files SET touched_at = now() WHERE id = $1"


class FileRows:
    """Files of tenants.

    Every method raises DatabaseUnavailableError within two seconds, and NotFoundError for a file that does
    not exist, was deleted, has expired, or is another tenant's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, tenant_id: UUID, file_id: UUID, created_at: datetime) -> None:
        """Announce a file whose content is on its way."""
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            await begin_file(connection, file_id, tenant_id=tenant_id, created_at=created_at)

    async def touch(self, tenant_id: UUID, file_id: UUID) -> None:
        """Say that the content still comes."""
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            await connection.execute(_TOUCH, file_id)

    async def finish(self, tenant_id: UUID, file: File, parts: Sequence[FilePart]) -> None:
        """Let the file be seen, with these parts."""
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            await append_parts(connection, file.id, tenant_id=tenant_id, parts=parts)
            await finish_file(
                connection,
                file.id,
                purpose=file.purpose,
                filename=file.filename,
                expires_at=file.expires_at,
            )

    async def abandon(self, tenant_id: UUID, file_id: UUID) -> None:
        """Give what was written of a file to the scheduler, which removes it."""
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            await connection.execute(_ABANDON, file_id)

    async def get(self, tenant_id: UUID, file_id: UUID) -> File:
        """Return a file."""
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            return _file(_found(await connection.fetchrow(_GET, file_id), file_id))

    async def content(self, tenant_id: UUID, file_id: UUID) -> tuple[File, Sequence[FilePart]]:
        """Return a file and where its content is."""
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            file = _file(_found(await connection.fetchrow(_GET, file_id), file_id))
            return file, await parts_of(connection, file_id)

    async def page(self, tenant_id: UUID, wanted: PageFilter) -> tuple[Sequence[File], bool]:
        """Return one page, and whether there are more."""
        statement = _OLDEST if wanted.ascending else _NEWEST
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            rows = await connection.fetch(
                statement, tenant_id, wanted.after, wanted.purpose, wanted.limit + 1
            )
        return [_file(row) for row in rows[: wanted.limit]], len(rows) > wanted.limit

    async def delete(self, tenant_id: UUID, file_id: UUID) -> None:
        """Let the file be seen no more; the scheduler removes its content."""
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            if await connection.fetchval(_DELETE, file_id) is None:
                raise _missing(file_id)


def _found(row: asyncpg.Record | None, file_id: UUID) -> asyncpg.Record:
    if row is None:
        raise _missing(file_id)
    return row


def _file(row: asyncpg.Record) -> File:
    return File(**{**row, "purpose": FilePurpose(row["purpose"])})


def _missing(file_id: UUID) -> NotFoundError:
    return NotFoundError(f"No such File object: {public_file_id(file_id)}")
