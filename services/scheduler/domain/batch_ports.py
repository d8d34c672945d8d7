"""What running batches needs of the outside.

Whoever changes a batch has read a revision of it. If somebody else (the caller who cancels, another leader)
has changed it since, nothing happens and BatchChangedError is raised: the next round reads it anew.
"""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from services.scheduler.domain.batch import Batch, EndedJob, NewBatchJob
from services.scheduler.domain.batch_input import Read
from services.scheduler.domain.batch_output import Gathered
from services.scheduler.domain.batch_validation import Error
from services.scheduler.domain.slack import SlackPart
from shared.contracts.batches import BatchStatus
from shared.contracts.provider_batches import InputPart
from shared.errors import PenstockError


class BatchChangedError(PenstockError):
    """The batch is not any more what was read."""

    code = "batch_changed"


class Batches(Protocol):
    """The rows; each change is one transaction and returns the batch as it then is."""

    async def open(self) -> Sequence[Batch]:
        """Read those that have not their end, the oldest first."""

    async def start(self, batch: Batch, *, model: str, total: int) -> Batch:
        """Note that the input is good."""

    async def fail(self, batch: Batch, errors: Sequence[Error]) -> None:
        """Note that it is not: the batch ends."""

    async def insert(
        self, batch: Batch, jobs: Sequence[NewBatchJob], *, offset: int, slack: SlackPart | None = None
    ) -> Batch:
        """Let the next requests be jobs.

        Args:
            batch: Whose they are.
            jobs: The requests.
            offset: Where the input goes on.
            slack: Set for requests that a provider's batch gets: they are due when its time is over.
                Otherwise they are due at once.
        """

    async def ended_jobs(self, batch: Batch, *, most: int, most_bytes: int) -> Sequence[EndedJob]:
        """Read what the next requests came to, as long as all before them have their end."""

    async def finalize(self, batch: Batch) -> Batch:
        """Note that every job has its end."""

    async def finish(self, batch: Batch, status: BatchStatus) -> None:
        """End the batch: its files can be seen from then on."""


class BatchOutputs(Protocol):
    """The output and the error file."""

    async def append(self, batch: Batch, gathered: Gathered, *, offset: int | None = None) -> Batch:
        """Write lines down and note that they are.

        Args:
            batch: Whose they are.
            gathered: The next requests.
            offset: Where the input goes on, for requests that never became jobs.
        """


class BatchInputs(Protocol):
    """The input files."""

    async def reader(self, file_id: UUID) -> Read:
        """Prepare for reading a file.

        Raises:
            NotFoundError: It is gone.
        """


class SlackInputs(Protocol):
    """Requests that providers' batches get."""

    async def put(self, batch: Batch, data: bytes) -> InputPart:
        """Write requests down, each a line of a batch's input."""


class BatchCancellation(Protocol):
    """The end of the jobs of a batch that was cancelled."""

    async def cancel(self, batch: Batch, *, most: int) -> int:
        """End some open jobs and stop those that run; returns how many."""


class Bodies(Protocol):
    """Bodies that are too large for a row."""

    async def put_request(self, body: bytes, *, tenant_id: UUID, job_id: UUID) -> tuple[bytes, str | None]:
        """Store a body unless it is small; returns it, or nothing and where it is."""

    async def get(self, body: bytes, ref: str | None) -> bytes:
        """Return what was put.

        Raises:
            NotFoundError: It is gone.
        """
