"""How many jobs of a batch may be open, and how many may wait.

Enough to keep the workers busy, too few to fill the broker or to make others wait behind them.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.scheduler.domain.batch import Batch
from shared.contracts.batches import BatchStatus

SMALLEST = 20
"""Of a batch's share, however many batches there are."""
FORGETTING = 0.3
"""Weight of the newest look when a pace falls; a faster one counts at once."""
SHORTEST_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Room:
    """What one batch may have."""

    open: int
    """Jobs that wait or run."""
    waiting: int
    """Jobs that wait."""

    def left(self, batch: Batch) -> int:
        """Say how many more it may have now."""
        return min(self.open - batch.open, self.waiting - batch.waiting)

    def worthwhile(self, batch: Batch, *, least: int) -> bool:
        """Say whether what it may have more is worth a transaction; ``least`` always is."""
        enough = min(least, self.open // 4, self.waiting // 4)
        return batch.left > 0 and self.left(batch) >= min(batch.left, max(enough, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchWindow:
    """The bounds.

    Args:
        jobs: Open jobs of one batch at most.
        all_jobs: Of all batches at most; tenants share them equally, and the batches of a tenant its share.
        bytes: What the open jobs of one batch may weigh, by the mean of its requests so far.
    """

    jobs: int
    all_jobs: int
    bytes: int

    def of(self, batch: Batch, batches: Sequence[Batch]) -> int:
        """Say how many jobs a batch may have open, given all that are."""
        running = Counter(one.tenant_id for one in batches if one.status is BatchStatus.IN_PROGRESS)
        share = self.all_jobs // max(len(running), 1) // max(running[batch.tenant_id], 1)
        share = min(self.jobs, share)
        if batch.inserted:
            share = min(share, self.bytes * batch.inserted // max(batch.input_offset, 1))
        return max(share, SMALLEST)


@dataclass(frozen=True, slots=True)
class _Look:
    at_s: float
    ended: int
    per_s: float


@dataclass(slots=True, kw_only=True)
class BatchPace:
    """How fast the jobs of each batch end, so that no more wait than are soon done.

    Args:
        ahead_s: How long the jobs that wait should last.
        least: Jobs that may wait at any pace.
        clock: Seconds, from anywhere.
    """

    ahead_s: float
    least: int
    clock: Callable[[], float] = time.monotonic
    _looks: dict[UUID, _Look] = field(default_factory=dict)

    def waiting(self, batch: Batch) -> int:
        """Look at a batch; says how many of its jobs may wait."""
        now, ended = self.clock(), batch.inserted - batch.open
        last = self._looks.get(batch.id)
        if last is None:
            last = self._looks[batch.id] = _Look(now, ended, 0.0)
        elif now - last.at_s >= SHORTEST_LOOK_S:
            per_s = (ended - last.ended) / (now - last.at_s)
            if per_s < last.per_s:
                per_s = last.per_s + FORGETTING * (per_s - last.per_s)
            last = self._looks[batch.id] = _Look(now, ended, per_s)
        return max(self.least, round(self.ahead_s * last.per_s))

    def forget_others(self, batches: Collection[Batch]) -> None:
        """Forget batches that are not open any more."""
        ids = {batch.id for batch in batches}
        for gone in self._looks.keys() - ids:
            del self._looks[gone]
