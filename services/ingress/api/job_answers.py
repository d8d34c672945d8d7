"""How jobs are accepted and their results told, for the job routes and the OpenAI routes alike."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from services.ingress.adapters.background_jobs import BackgroundJobs
from services.ingress.adapters.backlog import Backlog
from services.ingress.adapters.job_rows import JobRows
from services.ingress.api.answers import NO_FAILURE, failure_answer, raw_answer
from services.ingress.api.connection import while_connected
from services.ingress.api.context import context_of, principal_of
from services.ingress.api.idempotency import REPLAYED
from services.ingress.domain.accepted import AcceptedJob
from services.ingress.domain.after_the_end import JobErasedError
from services.ingress.domain.idempotency import KeyUse
from services.ingress.domain.job import Job, job_path
from services.ingress.domain.preference import NO_PREFERENCE, Preference
from services.ingress.domain.submission import Submission
from shared.contracts.jobs import JobStatus
from shared.errors import ConflictError, DependencyUnavailableError
from shared.storage.bodies import BodyStore

RETRY_AFTER_S = 1.0


class JobNotFinishedError(ConflictError):
    """The result is asked for before there is one."""

    code = "job_not_finished"


class JobAnswers:
    """Answers about jobs."""

    def __init__(
        self,
        *,
        jobs: BackgroundJobs,
        rows: JobRows,
        backlog: Backlog,
        bodies: BodyStore,
        tasks: asyncio.TaskGroup,
        base_url: str,
        max_wait_s: float,
    ) -> None:
        self._jobs = jobs
        self._rows = rows
        self._backlog = backlog
        self._bodies = bodies
        self._tasks = tasks
        self._base_url = base_url
        self._max_wait_s = max_wait_s

    async def accepted(
        self,
        request: Request,
        use: KeyUse | None,
        created_at: datetime,
        read: Callable[[], Submission],
    ) -> AcceptedJob:
        """Commit a job, or find the one that the request's idempotency key has, and name it on the answer.

        Args:
            request: Whose submission it is.
            use: Its idempotency key, if any.
            created_at: When it came.
            read: Checks what is submitted; not asked where the key has a job already, as what was right
                then (a deadline, a model) may be wrong now.
        """
        context = context_of(request.scope)
        tenant_id = principal_of(request).tenant_id
        job = None if use is None else await self._jobs.earlier(tenant_id, use)
        if job is None:
            submission = read()
            if submission.run_at is None:
                self._backlog.admit(submission.inference.operation, submission.lane, submission.deadline_at)
            job = await self._jobs.accept(
                submission,
                tenant_id=tenant_id,
                request_id=context.request_id,
                created_at=created_at,
                spell=self._spell,
                use=use,
            )
        context.tell_job(job.job_id, job.lane)
        if job.replayed:
            context.headers.append(REPLAYED)
        return job

    async def told(
        self, job: AcceptedJob, request: Request, preference: Preference = NO_PREFERENCE
    ) -> Response:
        """Answer with 202, or with the job's result where the caller waits and it comes in time."""
        if preference.respond_async:
            applied = preference.applied().encode()
            context_of(request.scope).headers.append((b"preference-applied", applied))
        if preference.wait_s:
            # It is accepted whatever becomes of the wait: an error would make the caller submit it again.
            with suppress(DependencyUnavailableError):
                ended = await self.waited(request, job.job_id, float(preference.wait_s))
                if ended.status.final:
                    return await self.result(principal_of(request).tenant_id, job.job_id)
        return raw_answer(job.answer, 202, {"Location": self._base_url + job_path(job.job_id)})

    async def waited(self, request: Request, job_id: UUID, wait_s: float) -> Job:
        """Return a job, at its end where that comes within ``wait_s``; shortened to the longest wait."""
        tenant_id = principal_of(request).tenant_id
        if wait_s <= 0:
            return await self._rows.get(tenant_id, job_id)
        async with while_connected(request.receive, self._tasks):
            return await self._jobs.settled(tenant_id, job_id, min(wait_s, self._max_wait_s))

    async def result(self, tenant_id: UUID, job_id: UUID) -> Response:
        """Answer as the synchronous route would have.

        Raises:
            JobNotFinishedError: There is no result yet.
            JobErasedError: There is none any more.
        """
        found = await self._rows.result(tenant_id, job_id)
        job = found.job
        if not job.status.final:
            raise JobNotFinishedError(
                f"The job is {job.status}; it has no result yet.", retry_after_s=RETRY_AFTER_S
            )
        if job.erased_at is not None:
            raise JobErasedError("The result of the job is erased.")
        if job.status is JobStatus.COMPLETED:
            return raw_answer(await self._bodies.get(found.result, found.result_ref))
        partial = await self._bodies.get(found.result, found.result_ref)
        extra = {"partial": orjson.Fragment(partial)} if partial else None
        return failure_answer(job.failure or NO_FAILURE, extra)

    def _spell(self, job: Job) -> bytes:
        return orjson.dumps(self.render(job))

    def render(self, job: Job) -> dict[str, object]:
        """Spell the job object."""
        return job.render(self._base_url, self._backlog.place_of(job))
