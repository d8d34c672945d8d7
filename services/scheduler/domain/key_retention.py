"""Drops idempotency keys that nobody can count on any more."""

from dataclasses import dataclass
from typing import Protocol

from services.scheduler import metrics

BATCH = 1000


class Keys(Protocol):
    """Idempotency keys by their age."""

    async def drop_older_than(self, hours: int, *, limit: int) -> int:
        """Delete the oldest of those that are older; returns how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRetention:
    """The task."""

    keys: Keys
    keep_hours: int

    async def __call__(self) -> float | None:
        """Drop one batch; the next round follows at once where there may be more."""
        dropped = await self.keys.drop_older_than(self.keep_hours, limit=BATCH)
        metrics.KEYS_DROPPED.inc(dropped)
        return 0.0 if dropped == BATCH else None
