"""Runs the provider call of a job: announced, streamed, abortable, within its deadline."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import structlog

from services.provider_worker.adapters.announcer import Announcer, message_of
from services.provider_worker.adapters.claims import Claim
from services.provider_worker.consumers.job import Job
from services.provider_worker.consumers.running import Run
from services.provider_worker.domain.calling import Attempt, Caller
from services.provider_worker.domain.coalescing import Coalescer
from services.provider_worker.domain.outcome import Outcome, cancelled, expired
from services.provider_worker.domain.outgoing import wants_usage
from services.provider_worker.domain.provider import Chunk
from services.provider_worker.settings import WorkerSettings
from shared.config.catalog import Target
from shared.contracts.deltas import DeltaEncoder
from shared.contracts.ids import new_id
from shared.contracts.jobs import JobDelta, JobStarted
from shared.messaging.broker import Message
from shared.messaging.topology import RESULTS_DELTA, RESULTS_STARTED
from shared.observability.tracing import inject
from shared.runtime.crash_points import CrashPoint, crash_points

_log = structlog.get_logger(__name__)


class Execution:
    """Calls providers for jobs."""

    def __init__(
        self, caller: Caller, announcer: Announcer, settings: WorkerSettings, *, worker: str
    ) -> None:
        self._caller = caller
        self._announcer = announcer
        self._settings = settings
        self._worker = worker

    async def run(self, job: Job, run: Run, targets: Sequence[Target], body: bytes) -> Outcome | None:
        """Get the answer of a job; a failure is an outcome too, and None: another copy has been claimed."""
        request = job.request
        job.start_id = start_id = new_id() if job.claim is None else job.claim.start_id
        job.started_at = datetime.now(UTC)
        if request.background:
            await self._announce_start(job)
            crash_points.reach(CrashPoint.CALL_ANNOUNCED)
        claim = Claim.GRANTED if job.claim is None else await job.claim.confirm()
        if claim is Claim.CANCELLED:
            return cancelled()
        if claim is not Claim.GRANTED:
            _log.info("copy of a job dropped", claim=claim.value)
            return None
        attempt = Attempt(operation=request.operation, targets=targets, body=body)
        if request.stream:
            encoder = DeltaEncoder(job_id=request.job_id, tenant_id=request.tenant_id, start_id=start_id)
            outcome = await self._streamed(job, run, attempt, encoder)
        else:
            outcome = await self._bounded(job, run, attempt)
        crash_points.reach(CrashPoint.CALL_ANSWERED)
        return outcome

    async def _bounded(self, job: Job, run: Run, attempt: Attempt) -> Outcome:
        """Call until the deadline or a cancellation, whichever comes first."""
        left_s = (job.request.deadline_at - datetime.now(UTC)).total_seconds()
        if run.cancelled:
            return cancelled()
        if left_s <= 0:  # a limit in the past would let the call begin
            return expired()
        scope = run.scope = asyncio.timeout(left_s)
        try:
            async with scope:
                return await self._caller.call(attempt)
        except TimeoutError:
            end = cancelled() if run.cancelled else expired()
            if end.error is None or not scope.expired():
                raise
            return self._caller.broken_off(attempt, end.status, end.error)
        finally:
            run.scope = None

    async def _streamed(self, job: Job, run: Run, attempt: Attempt, encoder: DeltaEncoder) -> Outcome:
        waited_for = job.reply_to is not None
        coalescer = Coalescer(
            partial(self._send, job, encoder),
            interval_s=self._settings.delta_interval_s
            if waited_for
            else self._settings.background_delta_interval_s,
        )
        usage_wanted = wants_usage(attempt.body)

        def on_chunk(chunk: Chunk) -> None:
            if usage_wanted or chunk.data.get("choices") or not chunk.data.get("usage"):
                coalescer.add(chunk.raw)

        attempt.on_chunk = on_chunk
        async with asyncio.TaskGroup() as group:
            group.create_task(coalescer.run())
            try:
                return await self._bounded(job, run, attempt)
            finally:
                coalescer.close()

    async def _announce_start(self, job: Job) -> None:
        request = job.request
        started = JobStarted(
            job_id=request.job_id,
            tenant_id=request.tenant_id,
            attempt=request.attempt,
            start_id=job.start_id,
            worker=self._worker,
            started_at=job.started_at,
        )
        await self._announcer.record(RESULTS_STARTED, message_of(started))

    async def _send(self, job: Job, encoder: DeltaEncoder, lines: bytes) -> None:
        message = Message(
            type=JobDelta.message_type,
            body=encoder.encode(job.deltas, lines),
            headers=inject(),
            correlation_id=job.delivery.message.correlation_id,
        )
        job.deltas += 1
        if job.reply_to is not None:
            await self._announcer.reply(job.reply_to, message)
        elif job.request.background:
            await self._announcer.record(RESULTS_DELTA, message)
