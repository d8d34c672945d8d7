"""Files on their way from a caller into the object store, a part at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import structlog

from services.ingress.adapters.file_rows import FileRows
from services.ingress.domain.file import File
from services.ingress.domain.file_form import FileForm
from shared.contracts.ids import new_id
from shared.errors import DependencyUnavailableError, PayloadTooLargeError, PenstockError
from shared.storage.files import FilePart, FileStore

PART_BYTES = 2 * 1024 * 1024
"""What an upload gathers before it is stored; while it is, two more copies exist."""
_log = structlog.get_logger()


class Upload:
    """One file being written.

    Args:
        store: Takes the parts.
        rows: Takes the word that there is a file.
        tenant_id: Whose it is.
        created_at: When it began.
        max_bytes: The most that a file may have.
    """

    def __init__(
        self, store: FileStore, rows: FileRows, *, tenant_id: UUID, created_at: datetime, max_bytes: int
    ) -> None:
        self._store = store
        self._rows = rows
        self._tenant_id = tenant_id
        self._created_at = created_at
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._parts: list[FilePart] = []
        self._bytes = 0
        self.id = new_id()

    async def write(self, data: bytes) -> None:
        """Take a piece of the content.

        Raises:
            PayloadTooLargeError: It is too much.
            DependencyUnavailableError: The object store or PostgreSQL is away.
        """
        self._bytes += len(data)
        if self._bytes > self._max_bytes:
            raise PayloadTooLargeError(
                f"A file must not be longer than {self._max_bytes} bytes.", param="file"
            )
        self._buffer += data
        if len(self._buffer) >= PART_BYTES:
            await self._flush()
            await self._rows.touch(self._tenant_id, self.id)

    async def finish(self, form: FileForm, *, filename: str, batch_expires_s: float) -> File:
        """Return the file when it is durable.

        Raises:
            DependencyUnavailableError: It is not.
        """
        if self._buffer:
            await self._flush()
        file = File(
            id=self.id,
            purpose=form.purpose,
            filename=filename,
            bytes=self._bytes,
            created_at=self._created_at,
            expires_at=form.expires_at(self._created_at, batch_expires_s=batch_expires_s),
        )
        await self._rows.finish(self._tenant_id, file, self._parts)
        return file

    async def _flush(self) -> None:
        data = bytes(self._buffer)
        self._buffer.clear()
        self._parts.append(await self._store.put(data, tenant_id=self._tenant_id, file_id=self.id))


class Uploads:
    """Begins uploads, no more at a time than memory allows, and cleans up after those that fail.

    Args:
        store: Takes the parts.
        rows: Takes the word that there is a file.
        max_bytes: The most that a file may have.
        most: Uploads at a time; whoever comes later waits, its body unread.
        patience_s: How long at most; then DependencyUnavailableError.
    """

    def __init__(
        self, store: FileStore, rows: FileRows, *, max_bytes: int, most: int, patience_s: float
    ) -> None:
        self._store = store
        self._rows = rows
        self._max_bytes = max_bytes
        self._places = asyncio.Semaphore(most)
        self._patience_s = patience_s

    @asynccontextmanager
    async def begin(self, tenant_id: UUID, created_at: datetime) -> AsyncIterator[Upload]:
        """Yield an upload; what a failure leaves of it is removed, now or by the scheduler."""
        upload = Upload(
            self._store, self._rows, tenant_id=tenant_id, created_at=created_at, max_bytes=self._max_bytes
        )
        async with self._place():
            await self._rows.begin(tenant_id, upload.id, created_at)
            try:
                yield upload
            except PenstockError:
                await self._abandon(tenant_id, upload.id)
                raise

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._patience_s):
                await self._places.acquire()
        except TimeoutError:
            raise DependencyUnavailableError("Too many files are being uploaded.") from None
        try:
            yield
        finally:
            self._places.release()

    async def _abandon(self, tenant_id: UUID, file_id: UUID) -> None:
        try:
            await self._rows.abandon(tenant_id, file_id)
        except PenstockError as error:  # the scheduler finds it later, by its silence
            _log.warning("upload not abandoned", code=error.code)
