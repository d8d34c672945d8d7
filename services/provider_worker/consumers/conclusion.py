"""Says how a job ended: to the one who waits, and for the record."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from services.provider_worker.adapters.announcer import Announcer, message_of
from services.provider_worker.adapters.patience import until_done
from services.provider_worker.consumers.job import Job
from services.provider_worker.domain.backoff import retry_at
from services.provider_worker.domain.outcome import Outcome
from shared.contracts.jobs import JobDeferred, JobFinished, JobStatus
from shared.errors import ObjectStoreUnavailableError
from shared.http.errors import failure_of
from shared.messaging.broker import MAX_BODY_BYTES
from shared.messaging.topology import RESULTS_DEFERRED, RESULTS_FINISHED
from shared.storage.bodies import BodyStore

_LARGEST_INLINE = MAX_BODY_BYTES - 16 * 1024
"""What a message can carry beside its fields when the object store is away."""


class Conclusion:
    """Ends attempts. The record is confirmed by the broker before :meth:`end` returns."""

    def __init__(self, announcer: Announcer, bodies: BodyStore) -> None:
        self._announcer = announcer
        self._bodies = bodies

    async def end(self, job: Job, outcome: Outcome) -> None:
        """Finish the job, or defer it to another attempt where that is worth while."""
        error, request = outcome.error, job.request
        if error is not None and outcome.status is JobStatus.FAILED and job.start_id is not None:
            again_at = retry_at(request, error, now=datetime.now(UTC))
            if again_at is not None:
                await self._defer(job, job.start_id, outcome, again_at)
                return
        await self._finish(job, outcome)

    async def _defer(self, job: Job, start_id: UUID, outcome: Outcome, again_at: datetime) -> None:
        if outcome.error is None:
            raise ValueError("only a failure is deferred")
        deferred = JobDeferred(
            job_id=job.request.job_id,
            tenant_id=job.request.tenant_id,
            attempt=job.request.attempt,
            start_id=start_id,
            retry_at=again_at,
            failure=failure_of(outcome.error),
            provider=outcome.provider,
            usage=outcome.usage,
        )
        await self._announcer.record(RESULTS_DEFERRED, message_of(deferred))

    async def _finish(self, job: Job, outcome: Outcome) -> None:
        finished = await self._finished(job, outcome)
        correlation_id = job.delivery.message.correlation_id
        record = message_of(finished, correlation_id=correlation_id)
        if job.reply_to is None:
            await self._announcer.record(RESULTS_FINISHED, record)
            return
        reply = record
        if job.deltas:  # the chunks have gone already
            bodiless = finished.model_copy(update={"body": b"", "body_ref": None})
            reply = message_of(bodiless, correlation_id=correlation_id)
        replied = await self._announcer.reply(job.reply_to, reply)
        await self._announcer.record(RESULTS_FINISHED, record)
        if not replied:  # now the broker is back, and only this process may have missed it
            await self._announcer.reply(job.reply_to, reply)

    async def _finished(self, job: Job, outcome: Outcome) -> JobFinished:
        request = job.request
        try:
            body, body_ref = await self._placed(job, outcome.body)
        except ObjectStoreUnavailableError as error:  # what the call consumed counts all the same
            outcome = replace(outcome, status=JobStatus.FAILED, error=error)
            body, body_ref = b"", None
        return JobFinished(
            job_id=request.job_id,
            tenant_id=request.tenant_id,
            request_id=request.request_id,
            operation=request.operation,
            lane=request.lane,
            model=request.model,
            status=outcome.status,
            background=request.background,
            attempt=request.attempt,
            start_id=job.start_id,
            ambiguous_attempts=job.ambiguous_attempts,
            deltas=job.deltas,
            provider=outcome.provider,
            provider_model=outcome.provider_model,
            usage=outcome.usage,
            failure=None if outcome.error is None else failure_of(outcome.error),
            created_at=request.created_at,
            started_at=job.started_at,
            finished_at=datetime.now(UTC),
            body_ref=body_ref,
            body=body,
        )

    async def _placed(self, job: Job, body: bytes) -> tuple[bytes, str | None]:
        """Put a large body aside; while the store is away it travels inline if it fits at all.

        Raises:
            ObjectStoreUnavailableError: It does not, and a caller waits; a background job waits itself.
        """
        request = job.request

        async def put() -> tuple[bytes, str | None]:
            return await self._bodies.put(
                body, tenant_id=request.tenant_id, job_id=request.job_id, kind="result"
            )

        try:
            return await put()
        except ObjectStoreUnavailableError:
            if len(body) <= _LARGEST_INLINE:
                return body, None
            if not request.background:
                raise
            return await until_done(put)
