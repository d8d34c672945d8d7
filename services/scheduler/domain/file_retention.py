"""Lets files go whose time is over, and removes the content of those that are gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import structlog

from services.scheduler import metrics

BATCH = 100
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class GoneFile:
    """A file that nobody can see any more."""

    id: UUID
    tenant_id: UUID


class Files(Protocol):
    """The rows of files, and of the batches that used them."""

    async def expire(self) -> int:
        """Let files go whose time is over; returns how many."""

    async def gone(self, *, silent_s: float, limit: int) -> Sequence[GoneFile]:
        """Name files that are gone, or whose writer was silent for so long; none that an open batch uses."""

    async def forget(self, files: Sequence[GoneFile]) -> None:
        """Delete their rows: their content is removed."""

    async def forget_batches(self, *, keep_days: int) -> None:
        """Delete batches that have ended, when they are so old."""


class Contents(Protocol):
    """Contents of files."""

    async def remove(self, *, tenant_id: UUID, file_id: UUID) -> None:
        """Delete a file's content; may be repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRetention:
    """The task."""

    files: Files
    contents: Contents
    silent_s: float
    keep_days: int

    async def __call__(self) -> float | None:
        """Do one batch; returns 0 where there is more."""
        expired = await self.files.expire()
        gone = await self.files.gone(silent_s=self.silent_s, limit=BATCH)
        for file in gone:
            await self.contents.remove(tenant_id=file.tenant_id, file_id=file.id)
        await self.files.forget(gone)
        await self.files.forget_batches(keep_days=self.keep_days)
        metrics.FILES_REMOVED.inc(len(gone))
        if gone or expired:
            _log.info("files removed", expired=expired, removed=len(gone))
        return 0.0 if len(gone) == BATCH else None
