"""Jobs off the queue: each gets exactly one end, whatever happens to it here."""

import asyncio
import time
from datetime import UTC, datetime

import structlog
from structlog.contextvars import bind_contextvars

from services.provider_worker.adapters.claims import Claim, Claims, HeldClaim
from services.provider_worker.adapters.patience import until_done
from services.provider_worker.consumers.conclusion import Conclusion
from services.provider_worker.consumers.execution import Execution
from services.provider_worker.consumers.job import Job
from services.provider_worker.consumers.running import Run, RunningJobs
from services.provider_worker.domain.outcome import Outcome, cancelled, expired, failed
from shared.config.catalog import Catalog
from shared.contracts.ids import new_id
from shared.contracts.jobs import JobRequested, JobStatus, Operation
from shared.errors import InvalidRequestError, PenstockError, ProviderRejectedError
from shared.messaging.broker import Delivery
from shared.observability.attributes import MESSAGING_DESTINATION_NAME, MESSAGING_OPERATION_TYPE
from shared.observability.tracing import span
from shared.runtime.crash_points import CrashPoint, crash_points
from shared.storage.bodies import BodyStore

_log = structlog.get_logger(__name__)

_STREAMABLE = (Operation.CHAT, Operation.COMPLETION)


class HandleJob:
    """Answers one job; safe to run twice for one job.

    Returning acknowledges the delivery: by then the end, or the deferral, is confirmed by the broker.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        claims: Claims,
        bodies: BodyStore,
        running: RunningJobs,
        execution: Execution,
        conclusion: Conclusion,
    ) -> None:
        self._catalog = catalog
        self._claims = claims
        self._bodies = bodies
        self._running = running
        self._execution = execution
        self._conclusion = conclusion

    async def __call__(self, delivery: Delivery) -> None:
        """Handle one delivery.

        Raises:
            MalformedMessageError: It is not a JobRequested, so there is nobody to tell.
        """
        request = JobRequested.decode(delivery.message.body)
        crash_points.reach(CrashPoint.CLAIM_RECEIVED)
        bind_contextvars(  # the consumer gives each delivery a context of its own
            request_id=request.request_id, job_id=str(request.job_id), tenant_id=str(request.tenant_id)
        )
        with span(
            f"process {delivery.queue}",
            parent=delivery.message.headers,
            kind="consumer",
            attributes={MESSAGING_OPERATION_TYPE: "process", MESSAGING_DESTINATION_NAME: delivery.queue},
        ):
            run = await self._running.begin(request.job_id, request.attempt)
            if run is None:
                return
            try:
                await self._run(Job(request, delivery), run)
            finally:
                self._running.end(request.job_id)

    async def _run(self, job: Job, run: Run) -> None:
        outcome = await self._outcome(job, run)
        if outcome is not None:
            await self._conclusion.end(job, outcome)
            crash_points.reach(CrashPoint.RESULT_CONFIRMED)
            run.recorded = True
            _report(job, outcome)

    async def _outcome(self, job: Job, run: Run) -> Outcome | None:
        """Find the end of a job; None when another copy of it has or will get one."""
        try:
            return await self._answer(job, run)
        except PenstockError as error:
            return failed(error)
        except Exception:  # noqa: BLE001 - a bug must not leave anybody waiting
            _log.exception("job failed on a bug")
            return failed(PenstockError("An internal error occurred."))

    async def _answer(self, job: Job, run: Run) -> Outcome | None:
        request = job.request
        if datetime.now(UTC) >= request.deadline_at:
            return expired()
        if request.background:
            start_id, asked_at = new_id(), time.monotonic()
            claim = await self._claims.claim(request, start_id, redelivered=job.delivery.redelivered)
            if claim is Claim.CANCELLED:
                return cancelled()
            if claim is not Claim.GRANTED:
                _log.info("copy of a job dropped", claim=claim.value)
                return None
            job.claim = HeldClaim(self._claims, request, start_id, asked_at)
            crash_points.reach(CrashPoint.CLAIM_GRANTED)
        if run.cancelled:
            return cancelled()
        if request.stream and request.operation not in _STREAMABLE:
            raise InvalidRequestError(f"{request.operation} cannot be streamed.", param="stream")
        targets = self._catalog.resolve(request.model)
        body = request.body
        if request.body_ref is not None:
            try:
                async with asyncio.timeout((request.deadline_at - datetime.now(UTC)).total_seconds()):
                    body = await self._fetched(request)
            except TimeoutError:
                return expired()
        return await self._execution.run(job, run, targets, body)

    async def _fetched(self, request: JobRequested) -> bytes:
        """Fetch the caller's body: a caller who waits is told of an outage, a job waits for its end."""
        if request.background:
            return await until_done(lambda: self._bodies.get(request.body, request.body_ref))
        return await self._bodies.get(request.body, request.body_ref)


def _report(job: Job, outcome: Outcome) -> None:
    facts = {
        "status": outcome.status.value,
        "model": job.request.model,
        "provider": outcome.provider,
        "attempt": job.request.attempt,
        "delivery": job.delivery.attempt,
    }
    if outcome.error is None:
        _log.debug("job answered", **facts)
    elif outcome.status in (JobStatus.FAILED, JobStatus.INCOMPLETE):
        # A refusal may quote the prompt, which must not be logged; the caller gets it in full.
        quotes = isinstance(outcome.error, (ProviderRejectedError, InvalidRequestError))
        reason = None if quotes else outcome.error.message
        _log.warning("job failed", code=outcome.error.code, reason=reason, **facts)
    else:
        _log.info("job stopped", **facts)
