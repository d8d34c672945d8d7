"""Reports what a provider's batch answered, each job for itself."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from services.provider_worker.adapters.announcer import Announcer, message_of
from services.provider_worker.adapters.openai_batches import OpenAIBatches, RemoteBatch
from services.provider_worker.domain.batch_answers import BatchAnswer, read_batch_answer
from services.provider_worker.domain.calling import Meter
from services.provider_worker.domain.costs import reduced, usage_of
from services.provider_worker.domain.pricing import PriceList
from shared.config.catalog import Target
from shared.contracts.ids import created_at
from shared.contracts.jobs import JobFinished, JobStatus, Lane, Usage
from shared.contracts.provider_batches import LINES_A_REPORT, ProviderBatchAsked, ProviderBatchReported
from shared.http.errors import failure_of
from shared.messaging.topology import RESULTS_FINISHED
from shared.storage.bodies import BodyStore

_TOGETHER = 100
"""Answers that are on their way to the record at a time."""


@dataclass(slots=True)
class _Reading:
    """How far one file is read."""

    offset: int
    whole: bool = False
    answers: list[BatchAnswer] = field(default_factory=list)


class FetchAnswers:
    """Reads the files of a batch that has ended.

    Args:
        announcer: Takes the records; an answer is reported when they are confirmed.
        bodies: Take answers that are too large for a message.
        prices: List prices.
        meter: Counts what was consumed.
        longest: Bytes of a line at most.
    """

    def __init__(
        self, announcer: Announcer, bodies: BodyStore, prices: PriceList, meter: Meter, *, longest: int
    ) -> None:
        self._announcer = announcer
        self._bodies = bodies
        self._prices = prices
        self._meter = meter
        self._longest = longest

    async def __call__(
        self,
        api: OpenAIBatches,
        asked: ProviderBatchAsked,
        remote: RemoteBatch,
        target: Target,
        *,
        factor: Decimal,
    ) -> ProviderBatchReported:
        """Record the next answers; says whether there are more."""
        output = await self._read(api, asked, target, remote.output_file_id, asked.output_offset)
        errors = await self._read(api, asked, target, remote.error_file_id, asked.error_offset)
        answers = [*output.answers, *errors.answers]
        for at in range(0, len(answers), _TOGETHER):
            await self._record(asked, target, answers[at : at + _TOGETHER], factor)
        whole = output.whole and errors.whole
        return ProviderBatchReported(
            id=asked.id,
            remote_id=remote.id,
            ended=whole,
            more=not whole,
            answered=tuple(answer.line for answer in answers),
            output_offset=output.offset,
            error_offset=errors.offset,
        )

    async def _read(
        self, api: OpenAIBatches, asked: ProviderBatchAsked, target: Target, file_id: str | None, offset: int
    ) -> _Reading:
        reading = _Reading(offset)
        if file_id is not None:
            size = 0
            async with aclosing(api.lines(file_id, offset=offset, longest=self._longest)) as lines:
                async for line, reading.offset in lines:
                    answer = read_batch_answer(target.provider, asked.operation, line)
                    if answer is not None:
                        reading.answers.append(answer)
                    size += len(line)
                    if len(reading.answers) == LINES_A_REPORT or size >= self._longest:
                        return reading
        reading.whole = True
        return reading

    async def _record(
        self, asked: ProviderBatchAsked, target: Target, answers: Sequence[BatchAnswer], factor: Decimal
    ) -> None:
        finished = await asyncio.gather(
            *(self._finished(asked, target, answer, factor) for answer in answers)
        )
        await asyncio.gather(
            *(self._announcer.record(RESULTS_FINISHED, message_of(message)) for message in finished)
        )
        for message in finished:
            self._meter.consumed(target, message.usage)

    async def _finished(
        self, asked: ProviderBatchAsked, target: Target, answer: BatchAnswer, factor: Decimal
    ) -> JobFinished:
        usage, body, body_ref = Usage(), b"", None
        if answer.answer is not None:
            usage = reduced(usage_of(self._prices, target, asked.operation, b"", answer.answer), factor)
            body, body_ref = await self._bodies.put(
                answer.answer.body, tenant_id=asked.tenant_id, job_id=answer.job_id, kind="result"
            )
        return JobFinished(
            job_id=answer.job_id,
            tenant_id=asked.tenant_id,
            request_id=f"req_{answer.job_id.hex}",
            operation=asked.operation,
            lane=Lane.BATCH,
            model=asked.model,
            status=JobStatus.COMPLETED if answer.refusal is None else JobStatus.FAILED,
            background=True,
            attempt=1,
            start_id=asked.id,
            provider=target.provider,
            provider_model=target.model,
            usage=usage,
            failure=None if answer.refusal is None else failure_of(answer.refusal),
            created_at=created_at(answer.job_id),
            started_at=asked.created_at,
            finished_at=datetime.now(UTC),
            body_ref=body_ref,
            body=body,
        )
