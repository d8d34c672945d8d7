"""Runs batches: checks their input, feeds them to the workers, gathers what they came to.

Every step is one transaction that also notes how far the batch has come, so a leader that dies, or that does
not know yet that it leads no more, leaves nothing undone and does nothing twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from services.scheduler import metrics
from services.scheduler.domain.batch import Batch
from services.scheduler.domain.batch_gathering import BatchGathering
from services.scheduler.domain.batch_input import next_lines
from services.scheduler.domain.batch_intake import BatchIntake
from services.scheduler.domain.batch_ports import BatchCancellation, BatchChangedError, Batches, BatchInputs
from services.scheduler.domain.batch_validation import BatchValidation
from services.scheduler.domain.batch_window import BatchPace, BatchWindow, Room
from services.scheduler.domain.slack import Slack, SlackRule, no_slack
from shared.contracts.batches import BatchStatus
from shared.errors import NotFoundError, PenstockError

STEPS = 4
"""Transactions of one kind that one batch gets in a round, before others have their turn."""
PAUSE = timedelta(seconds=2)
"""For a batch that cannot go on, because the object store is away for example."""
_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class BatchWork:
    """The task.

    Args:
        batches: All of them.
        inputs: Their input files.
        intake: Makes jobs of lines.
        gathering: Makes lines of jobs.
        cancellation: Ends jobs.
        window: How many jobs may be open.
        pace: How many of them may wait.
        least: Requests that are worth a transaction while there is no hurry.
        known_model: Raises ModelNotFoundError for a model that nobody serves.
        max_requests: Of a batch.
        slack: Says which batches a provider's own batch API gets.
        clock: Tells the time.
    """

    batches: Batches
    inputs: BatchInputs
    intake: BatchIntake
    gathering: BatchGathering
    cancellation: BatchCancellation
    window: BatchWindow
    pace: BatchPace
    least: int
    known_model: Callable[[str], object]
    max_requests: int
    slack: SlackRule = no_slack
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _checking: tuple[UUID, BatchValidation] | None = field(default=None)
    _waiting: dict[UUID, datetime] = field(default_factory=dict)

    async def __call__(self) -> float | None:
        """Bring every batch on a little; returns 0 where there is more to do at once."""
        batches = await self.batches.open()
        now = self.clock()
        self._waiting = {
            batch.id: until for batch in batches if (until := self._waiting.get(batch.id, now)) > now
        }
        ready = [batch for batch in batches if batch.id not in self._waiting]
        self.pace.forget_others(batches)
        checked = self._to_be_checked(ready)
        more = False
        for batch in ready:
            if batch.status is not BatchStatus.VALIDATING or batch is checked:
                more |= await self._guarded(batch, batches)
        return 0.0 if more else None

    def _to_be_checked(self, batches: Sequence[Batch]) -> Batch | None:
        """Choose one, as the check remembers every custom_id: the one that was begun, or the oldest."""
        validating = [batch for batch in batches if batch.status is BatchStatus.VALIDATING]
        begun = [batch for batch in validating if self._checking and batch.id == self._checking[0]]
        return next(iter([*begun, *validating]), None)

    async def _guarded(self, batch: Batch, batches: Sequence[Batch]) -> bool:
        """Let a batch that cannot go on wait, and the others go on."""
        try:
            return await self._advance(batch, batches)
        except BatchChangedError:
            return True
        except PenstockError as error:
            metrics.FAILURES.labels("batches").inc()
            _log.warning("batch waits", batch=str(batch.id), code=error.code, reason=error.message)
            self._waiting[batch.id] = self.clock() + PAUSE
            return False

    async def _advance(self, batch: Batch, batches: Sequence[Batch]) -> bool:
        match batch.status:
            case BatchStatus.VALIDATING:
                return await self._validate(batch)
            case BatchStatus.IN_PROGRESS:
                room = Room(self.window.of(batch, batches), self.pace.waiting(batch))
                return await self._run(batch, room)
            case BatchStatus.CANCELLING if batch.open:
                return await self.cancellation.cancel(batch, most=self.intake.chunk) > 0
            case _:
                return await self._conclude(batch)

    async def _validate(self, batch: Batch) -> bool:
        if self._checking is None or self._checking[0] != batch.id:
            validation = BatchValidation(
                endpoint=batch.endpoint, max_requests=self.max_requests, known_model=self.known_model
            )
            self._checking = batch.id, validation
        validation = self._checking[1]
        if self.clock() >= batch.expires_at:
            await self.batches.finish(batch, BatchStatus.EXPIRED)
            return False
        for _ in range(STEPS):
            if await self._check(batch, validation):
                await self._judge(batch, validation)
                break
        return True

    async def _check(self, batch: Batch, validation: BatchValidation) -> bool:
        """Check the next lines; says whether the verdict is known."""
        try:
            lines = await next_lines(
                await self.inputs.reader(batch.input_file_id),
                validation.offset,
                most=self.intake.chunk,
                chunk_bytes=self.intake.chunk_bytes,
                max_line_bytes=self.intake.max_line_bytes,
            )
        except NotFoundError as error:
            validation.refuse("file_not_found", error.message)
            return True
        return validation.check(lines)

    async def _judge(self, batch: Batch, validation: BatchValidation) -> None:
        self._checking = None
        if validation.errors or validation.model is None:
            await self.batches.fail(batch, validation.errors)
        else:
            await self.batches.start(batch, model=validation.model, total=validation.requests)

    async def _run(self, batch: Batch, room: Room) -> bool:
        over = self.clock() >= batch.expires_at
        slack = None if over else self.slack(batch, self.clock())
        if over:
            fed = False
        elif slack is not None:
            batch, fed = await self._put_aside(batch, slack)
        else:
            batch, fed = await self._feed(batch, room)
        batch, gathered = await self._gather(batch)
        if batch.open == 0 and (over or batch.inserted == batch.total):
            await self.batches.finalize(batch)
            return True
        return fed or gathered

    async def _feed(self, batch: Batch, room: Room) -> tuple[Batch, bool]:
        """Put in what there is room for; says whether there is room for more at once."""
        for _ in range(STEPS):
            if not room.worthwhile(batch, least=self.least):
                return batch, False
            batch = await self.intake.insert(batch, room.left(batch))
        return batch, True

    async def _put_aside(self, batch: Batch, slack: Slack) -> tuple[Batch, bool]:
        """Put in what a provider's batch gets: none of it waits for a worker, so there is always room."""
        for _ in range(STEPS):
            if batch.left == 0:
                return batch, False
            batch = await self.intake.insert(batch, batch.left, slack)
        return batch, True

    async def _gather(self, batch: Batch) -> tuple[Batch, bool]:
        """Write down what is ready; says whether there is more."""
        for _ in range(STEPS):
            ready = batch.ended - batch.gathered
            if ready == 0 or (ready < self.least and batch.open):
                return batch, False
            batch = await self.gathering.gather(batch)
        return batch, True

    async def _conclude(self, batch: Batch) -> bool:
        """Write down the rest and end the batch."""
        for _ in range(STEPS):
            if batch.gathered < batch.ended:
                batch = await self.gathering.gather(batch)
            elif batch.gathered < batch.inserted:
                return False  # the caller had a job retried, which is waited for
            elif batch.inserted < batch.total:
                batch = await self.gathering.gather_unsent(batch)
            else:
                await self.batches.finish(batch, _end_of(batch))
                return False
        return True


def _end_of(batch: Batch) -> BatchStatus:
    if batch.status is BatchStatus.CANCELLING:
        return BatchStatus.CANCELLED
    return BatchStatus.EXPIRED if batch.expired else BatchStatus.COMPLETED
