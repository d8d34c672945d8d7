"""Looks after the batches at providers: has them submitted, watched, fetched and recalled."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from services.scheduler import metrics
from services.scheduler.domain.provider_batch import ProviderBatch, ProviderBatches, ProviderDesk, step
from shared.errors import PenstockError

AT_ONCE = 8
"""Questions under way; each has a worker upload or read a file."""
MARGIN = timedelta(seconds=2)
"""After the time of a question, before the next: a call that was cut off may still arrive at the provider."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderBatchWork:
    """The task.

    Args:
        batches: The rows.
        desk: Asks the workers.
        ask_s: How long a worker has for one question.
        poll_s: Says how often a model's provider is asked.
        clock: Tells the time.
    """

    batches: ProviderBatches
    desk: ProviderDesk
    ask_s: float
    poll_s: Callable[[str], float]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def __call__(self) -> float | None:
        """Ask about those that are due; returns 0 where there is more to do at once."""
        until = self.clock() + timedelta(seconds=self.ask_s)
        due = await self.batches.claim(until=until + MARGIN, limit=AT_ONCE)
        more = await asyncio.gather(*(self._guarded(batch, until) for batch in due))
        return 0.0 if len(due) == AT_ONCE or any(more) else None

    async def _guarded(self, batch: ProviderBatch, until: datetime) -> bool:
        """Let one whose answer cannot be noted be asked about again, and the others go on."""
        try:
            return await self._advance(batch, until)
        except PenstockError as error:
            metrics.FAILURES.labels("provider batches").inc()
            _log.warning("provider batch not noted", batch=str(batch.id), code=error.code)
            return False

    async def _advance(self, batch: ProviderBatch, until: datetime) -> bool:
        action = batch.action(self.clock())
        report = await self.desk.ask(batch, action, until=until)
        now = self.clock()
        if report is None:  # the worker may still be at it until then
            now = max(now, until + MARGIN)
        done = step(batch, report, now=now, poll_s=self.poll_s(batch.model) if report else 0.0)
        noted = await self.batches.note(done)
        if done.failure is not None:
            _log.warning("provider batch waits", batch=str(batch.id), action=action, code=done.failure)
        if noted:
            metrics.PROVIDER_BATCH_ANSWERS.inc(len(done.answered))
        if noted and done.state != "open":
            metrics.PROVIDER_BATCHES.labels(done.state).inc()
            _log.info("provider batch ended", batch=str(batch.id), state=done.state)
        return report is not None and report.more
