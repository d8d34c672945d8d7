"""The OpenAI routes: answer now, stream, or accept as a background job."""

import asyncio
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from services.ingress.adapters.backlog import Backlog
from services.ingress.adapters.provider_calls import ProviderCalls
from services.ingress.api.answers import NO_FAILURE, failure_answer, raw_answer
from services.ingress.api.body import read_body
from services.ingress.api.connection import Departure
from services.ingress.api.context import context_of, principal_of
from services.ingress.api.idempotency import key_use
from services.ingress.api.job_answers import JobAnswers
from services.ingress.api.keyed_calls import KeyedCalls
from services.ingress.api.reply_stream import ReplyStream
from services.ingress.api.route import Endpoint
from services.ingress.domain.idempotency import KeyUse
from services.ingress.domain.inference import Inference, read_inference
from services.ingress.domain.job_times import JobLimits, read_cancel_after, read_times
from services.ingress.domain.lanes import background_lane, waiting_lane
from services.ingress.domain.preference import Preference, read_preference
from services.ingress.domain.reply import ReplyDelta, ReplyEnd
from services.ingress.domain.submission import Submission
from services.ingress.settings import IngressSection
from shared.config.catalog import Catalog
from shared.contracts.ids import new_id
from shared.contracts.jobs import JobRequested, JobStatus, Operation


class InferenceEndpoints:
    """What the four routes do."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        calls: ProviderCalls,
        jobs: JobAnswers,
        keyed: KeyedCalls,
        backlog: Backlog,
        settings: IngressSection,
        limits: JobLimits,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._catalog = catalog
        self._calls = calls
        self._jobs = jobs
        self._keyed = keyed
        self._backlog = backlog
        self._settings = settings
        self._limits = limits
        self._tasks = tasks

    def of(self, operation: Operation) -> Endpoint:
        """Return the endpoint of one operation."""

        async def infer(request: Request) -> Response:
            return await self._infer(operation, request)

        return infer

    async def _infer(self, operation: Operation, request: Request) -> Response:
        principal_of(request)
        body = await read_body(
            request, max_bytes=self._settings.max_body_bytes, timeout_s=self._settings.body_timeout_s
        )
        inference = read_inference(operation, body)
        preference = read_preference(_prefer(request))
        use = key_use(request, body)
        if preference.respond_async or use is not None:
            return await self._as_job(inference, preference, use, request)
        self._catalog.resolve(inference.model)
        job = self._call_of(inference, request)
        self._backlog.admit(job.operation, job.lane, job.deadline_at)
        context_of(request.scope).tell_job(job.job_id, job.lane)
        if inference.stream:
            return await self._stream(job, request, include_usage=inference.include_usage)
        return await self._answer(job, request)

    def _call_of(self, inference: Inference, request: Request) -> JobRequested:
        created_at = datetime.now(UTC)
        return JobRequested(
            job_id=new_id(),
            tenant_id=principal_of(request).tenant_id,
            request_id=context_of(request.scope).request_id,
            operation=inference.operation,
            lane=waiting_lane(inference.service_tier),
            model=inference.model,
            stream=inference.stream,
            deadline_at=self._until(request, created_at),
            created_at=created_at,
            body=inference.body,
        )

    def _until(self, request: Request, now: datetime, *, may_have_passed: bool = False) -> datetime:
        """Until when the caller waits: its ``Cancel-After``, but no longer than the operator allows."""
        latest = now + timedelta(seconds=self._settings.sync_timeout_s)
        header = context_of(request.scope).given.get(b"cancel-after")
        cancel_after = read_cancel_after(header, now, may_have_passed=may_have_passed)
        return latest if cancel_after is None else min(latest, cancel_after)

    async def _answer(self, job: JobRequested, request: Request) -> Response:
        with self._calls.open(job) as call, Departure(request.receive, self._tasks, call.give_up):
            await call.publish()
            message = await call.next()
            while isinstance(message, ReplyDelta):
                message = await call.next()
            if message.status is JobStatus.COMPLETED:
                return raw_answer(await self._calls.answer(message))
            return failure_answer(message.failure or NO_FAILURE)

    async def _stream(self, job: JobRequested, request: Request, *, include_usage: bool) -> Response:
        """Decide the status by the first message, then hand the call over to the stream."""
        with ExitStack() as owner:
            call = owner.enter_context(self._calls.open(job))
            owner.enter_context(Departure(request.receive, self._tasks, call.give_up))
            await call.publish()
            first = await call.next()
            if isinstance(first, ReplyEnd) and first.status is not JobStatus.COMPLETED:
                return failure_answer(first.failure or NO_FAILURE)
            return ReplyStream(call, first, owner.pop_all(), include_usage=include_usage)

    async def _as_job(
        self, inference: Inference, preference: Preference, use: KeyUse | None, request: Request
    ) -> Response:
        """Commit the call as a job first: it was asked for, or a key is to find it again."""
        now = datetime.now(UTC)

        def read() -> Submission:
            self._catalog.resolve(inference.model)
            return self._submission(inference, preference, request, now)

        job = await self._jobs.accepted(request, use, now, read)
        if preference.respond_async:
            return await self._jobs.told(job, request, preference)
        # The request of a job that there is already may come after its own time: it still gets what there is.
        until = self._until(request, now, may_have_passed=True)
        if inference.stream:
            return await self._keyed.stream(job, request, until, include_usage=inference.include_usage)
        return await self._keyed.answer(job, request, until)

    def _submission(
        self, inference: Inference, preference: Preference, request: Request, now: datetime
    ) -> Submission:
        waits = not preference.respond_async or bool(preference.wait_s)
        if preference.respond_async:
            cancel_after = read_cancel_after(context_of(request.scope).given.get(b"cancel-after"), now)
            deadline_at = read_times({}, self._limits, now, cancel_after).deadline_at
        else:
            deadline_at = self._until(request, now)
        tier = inference.service_tier
        return Submission(
            inference=inference,
            lane=waiting_lane(tier) if waits else background_lane(tier),
            deadline_at=deadline_at,
            metadata={},
            max_attempts=self._limits.attempts,
        )


def _prefer(request: Request) -> str | None:
    """Join the lines of the header; nearly no request has one."""
    if b"prefer" not in context_of(request.scope).given:
        return None
    return ", ".join(request.headers.getlist("prefer"))
