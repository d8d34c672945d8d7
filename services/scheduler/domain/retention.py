"""Creates the partitions of the days to come and drops days that are older than the retention."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

import structlog

from services.scheduler import metrics

_log = structlog.get_logger(__name__)


class Days(Protocol):
    """The daily partitions."""

    async def ensure(self, first: date, last: date) -> None:
        """Create those that are missing."""

    async def drop_before(self, day: date) -> int:
        """Drop older ones that hold no open job; returns how many."""

    async def oldest(self) -> date | None:
        """Name the oldest day that is kept."""


class Bodies(Protocol):
    """Large bodies, by the day they were put."""

    async def drop_days_before(self, day: date) -> int:
        """Delete older ones; returns how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """The task."""

    days: Days
    bodies: Bodies
    keep_days: int
    days_ahead: int

    async def __call__(self) -> float | None:
        """Bring partitions and bodies in line with today; a body is kept as long as its job may be."""
        today = datetime.now(UTC).date()
        await self.days.ensure(today - timedelta(days=1), today + timedelta(days=self.days_ahead))
        limit = today - timedelta(days=self.keep_days)
        partitions = await self.days.drop_before(limit)
        oldest = await self.days.oldest()
        bodies = await self.bodies.drop_days_before(limit if oldest is None else min(limit, oldest))
        metrics.PARTITIONS_DROPPED.inc(partitions)
        metrics.BODIES_DROPPED.inc(bodies)
        if partitions or bodies:
            _log.info("retention", days=partitions, bodies=bodies, before=limit.isoformat())
        return None
