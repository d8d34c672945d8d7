"""Bodies that are too large for a message: kept in an object store, passed by reference."""

import secrets
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Literal
from uuid import UUID

from shared.config.settings import ObjectSettings
from shared.errors import NotFoundError
from shared.storage.objects import object_outages, open_objects


class BodyStore:
    """Puts a body inline or aside, and gets it back from wherever it is.

    Keys are ``<UTC day of the put>/<tenant>/<job>/<kind>-<random>``: retention drops whole days, and
    two workers that finish the same job never overwrite each other.

    Raises:
        ObjectStoreUnavailableError: The folder of a ``file:`` URL cannot be created.
    """

    def __init__(self, settings: ObjectSettings) -> None:
        self._inline_bytes = settings.inline_bytes
        self._store = open_objects(settings)

    async def put(
        self, body: bytes, *, tenant_id: UUID, job_id: UUID, kind: Literal["request", "result"]
    ) -> tuple[bytes, str | None]:
        """Store a body unless it fits into a message.

        Returns:
            ``(body, None)`` when it fits, otherwise ``(b"", reference)``.

        Raises:
            ObjectStoreUnavailableError: It is not stored.
        """
        if len(body) <= self._inline_bytes:
            return body, None
        day = datetime.now(UTC).date()
        reference = f"{day:%Y-%m-%d}/{tenant_id}/{job_id}/{kind}-{secrets.token_hex(4)}"
        with object_outages():
            await self._store.put_async(reference, body)
        return b"", reference

    async def get(self, body: bytes, ref: str | None) -> bytes:
        """Return what was put.

        Raises:
            NotFoundError: Nothing is stored under the reference (any more).
            ObjectStoreUnavailableError: The store does not answer.
        """
        if ref is None:
            return body
        with object_outages():
            try:
                stored = await self._store.get_async(ref)
                return bytes(await stored.bytes_async())
            except (FileNotFoundError, ValueError) as error:
                raise NotFoundError("The body is not in the object store any more.") from error

    async def delete(self, refs: Iterable[str]) -> None:
        """Delete what was put aside; what is not there any more is no error.

        Raises:
            ObjectStoreUnavailableError: Some may be left.
        """
        with object_outages():
            for ref in refs:
                try:
                    await self._store.delete_async(ref)
                except FileNotFoundError:
                    continue

    async def drop_days_before(self, day: date) -> int:
        """Delete every body that was put before a UTC day; may be repeated or run twice at once.

        Returns:
            How many were deleted.
        """
        dropped = 0
        with object_outages():
            top = await self._store.list_with_delimiter_async()
            for prefix in top["common_prefixes"]:
                stored_on = _day_of(prefix)
                if stored_on is not None and stored_on < day:
                    dropped += await self._drop(prefix)
        return dropped

    async def _drop(self, prefix: str) -> int:
        dropped = 0
        async for page in self._store.list(prefix, chunk_size=1000):
            try:
                await self._store.delete_async([entry["path"] for entry in page])
            except FileNotFoundError:  # somebody else drops the same day
                continue
            dropped += len(page)
        return dropped

    async def ping(self) -> None:
        """Raise ObjectStoreUnavailableError unless the store answers."""
        with object_outages():
            try:
                await self._store.head_async("ping")
            except FileNotFoundError:
                return


def _day_of(prefix: str) -> date | None:
    try:
        return date.fromisoformat(prefix.rstrip("/"))
    except ValueError:  # not ours
        return None
