"""Contents of files: parts in the object store, each written whole or not at all."""

import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.config.settings import ObjectSettings
from shared.errors import NotFoundError
from shared.storage.objects import object_outages, open_objects

FOLDER = "files"


@dataclass(frozen=True, slots=True)
class FilePart:
    """One object of a file."""

    ref: str
    bytes: int


class FileStore:
    """Puts and reads parts; keys are ``files/<tenant>/<file>/<random>``.

    Which parts make up a file is told by rows (``shared.storage.file_rows``), so a part that its writer did
    not live to name is nobody's, and is removed together with its file.

    Raises:
        ObjectStoreUnavailableError: From every method, while the store does not answer.
    """

    def __init__(self, settings: ObjectSettings) -> None:
        self._store = open_objects(settings)

    async def put(self, data: bytes, *, tenant_id: UUID, file_id: UUID) -> FilePart:
        """Store one part."""
        ref = f"{_folder(tenant_id, file_id)}/{secrets.token_hex(8)}"
        with object_outages():
            await self._store.put_async(ref, data, use_multipart=False)
        return FilePart(ref, len(data))

    async def read(self, parts: Sequence[FilePart], offset: int, size: int) -> bytes:
        """Return ``size`` bytes from ``offset`` on, fewer at the end of the file.

        Raises:
            NotFoundError: A part is gone.
        """
        pieces: list[bytes] = []
        for part in parts:
            if size <= 0:
                break
            if offset < part.bytes:
                length = min(size, part.bytes - offset)
                pieces.append(await self._range(part.ref, offset, length))
                offset, size = 0, size - length
            else:
                offset -= part.bytes
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def stream(self, parts: Sequence[FilePart], *, chunk_bytes: int) -> AsyncIterator[bytes]:
        """Yield the whole file, at most ``chunk_bytes`` at a time.

        Raises:
            NotFoundError: A part is gone.
        """
        for part in parts:
            for start in range(0, part.bytes, chunk_bytes):
                yield await self._range(part.ref, start, min(chunk_bytes, part.bytes - start))

    async def remove(self, *, tenant_id: UUID, file_id: UUID) -> None:
        """Delete every part of a file, those that no row names too; may be repeated."""
        with object_outages():
            async for page in self._store.list(f"{_folder(tenant_id, file_id)}/", chunk_size=1000):
                try:
                    await self._store.delete_async([entry["path"] for entry in page])
                except FileNotFoundError:  # somebody else removes it, too
                    continue

    async def _range(self, ref: str, start: int, length: int) -> bytes:
        with object_outages():
            try:
                return bytes(await self._store.get_range_async(ref, start=start, length=length))
            except (FileNotFoundError, ValueError) as error:
                raise NotFoundError("The file's content is not in the object store any more.") from error


def _folder(tenant_id: UUID, file_id: UUID) -> str:
    return f"{FOLDER}/{tenant_id}/{file_id}"
