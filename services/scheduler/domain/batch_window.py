"""How many jobs of a batch may be open: enough to keep the workers busy, too few to fill the broker."""

from dataclasses import dataclass

from services.scheduler.domain.batch import Batch

SMALLEST = 20
"""Of a batch's share, however many batches there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchWindow:
    """The bounds.

    Args:
        jobs: Open jobs of one batch at most.
        all_jobs: Open jobs of all batches at most; they share it equally.
        bytes: What the open jobs of one batch may weigh, by the mean of its requests so far.
        least: Requests that are worth a transaction while there is no hurry.
    """

    jobs: int
    all_jobs: int
    bytes: int
    least: int

    def of(self, batch: Batch, *, running: int) -> int:
        """Say how many jobs a batch may have open."""
        share = min(self.jobs, self.all_jobs // max(running, 1))
        if batch.inserted:
            share = min(share, self.bytes * batch.inserted // max(batch.input_offset, 1))
        return max(share, SMALLEST)

    def worthwhile(self, *, left: int, room: int, window: int) -> bool:
        """Say whether to put requests in now, with so many left and room for so many."""
        return left > 0 and room >= min(left, self.least, window // 4)
