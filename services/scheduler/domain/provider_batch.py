"""A batch at a provider, and the rules of its life."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from shared.contracts.jobs import Operation
from shared.contracts.provider_batches import InputPart, ProviderBatchAction, ProviderBatchReported

GIVEN_UP_AFTER = timedelta(hours=1)
"""After the live calls began: a provider that says nothing until then is not asked any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderBatch:
    """One row that has not its end."""

    id: UUID
    tenant_id: UUID
    batch_id: UUID
    revision: int
    operation: Operation
    model: str
    parts: tuple[InputPart, ...]
    remote_id: str | None
    output_offset: int
    error_offset: int
    created_at: datetime
    recall_at: datetime
    live_at: datetime
    unwanted: bool
    """The batch was cancelled, or has its end."""

    def action(self, now: datetime) -> ProviderBatchAction:
        """Say what is to be done about it."""
        if self.unwanted or now >= self.recall_at:
            return ProviderBatchAction.RECALL
        return ProviderBatchAction.LOOK if self.remote_id else ProviderBatchAction.SUBMIT


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be noted after an answer."""

    after: ProviderBatch
    state: str
    answered: Sequence[int]
    failure: str | None
    next_look_at: datetime

    @property
    def over(self) -> bool:
        """Whether what the provider did not answer may be called live at once."""
        return self.state == "done"


def step(batch: ProviderBatch, report: ProviderBatchReported | None, *, now: datetime, poll_s: float) -> Step:
    """Say what an answer means; None is silence.

    Only a provider batch that is known to have ended lets its requests go before their time: while nobody can
    tell, a live call might be the second one. They go at ``live_at`` in any case, because they are due then.
    """
    later = now + timedelta(seconds=poll_s)
    if report is None or report.failure is not None:
        given_up = now >= batch.live_at + GIVEN_UP_AFTER
        failure = "no_answer" if report is None else report.failure
        return Step(batch, "given_up" if given_up else "open", (), failure, later)
    after = replace(
        batch,
        remote_id=report.remote_id or batch.remote_id,
        output_offset=max(batch.output_offset, report.output_offset),
        error_offset=max(batch.error_offset, report.error_offset),
    )
    state = "done" if report.ended else "open"
    return Step(after, state, report.answered, None, now if report.more else later)


class ProviderBatches(Protocol):
    """The rows."""

    async def claim(self, *, until: datetime, limit: int) -> Sequence[ProviderBatch]:
        """Take those that are to be asked about now; nobody else takes them before ``until``."""

    async def note(self, step: Step) -> bool:
        """Note an answer, and let go what may go; False if somebody else asked meanwhile."""


class ProviderDesk(Protocol):
    """Whoever can ask providers."""

    async def ask(
        self, batch: ProviderBatch, action: ProviderBatchAction, *, until: datetime
    ) -> ProviderBatchReported | None:
        """Have something done; None if there is no answer in time."""
