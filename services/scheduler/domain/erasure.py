"""Erases what jobs were asked and what they answered, when its time is over; the rows stay."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from services.scheduler import metrics


class Bodies(Protocol):
    """Large bodies, by reference."""

    async def delete(self, refs: Iterable[str]) -> None:
        """Delete them; what is not there any more is no error."""


class ErasableJobs(Protocol):
    """Jobs whose contents are to be erased."""

    async def erase_due(self, limit: int) -> int:
        """Erase request, result, events and the words of failures of those that are due; returns how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """The task."""

    jobs: ErasableJobs
    batch: int

    async def __call__(self) -> float | None:
        """Erase one batch."""
        erased = await self.jobs.erase_due(self.batch)
        metrics.ERASED.inc(erased)
        return 0.0 if erased == self.batch else None
