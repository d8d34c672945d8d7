"""A call with an idempotency key: a durable job whose end is waited for and told as the route's own answer.

The job goes on when its caller leaves or this process dies; the same request then finds it.
"""

import asyncio
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from services.ingress.adapters.background_jobs import BackgroundJobs
from services.ingress.adapters.recorded_chunks import RecordedChunks
from services.ingress.api.answers import NO_FAILURE, failure_answer
from services.ingress.api.connection import while_connected
from services.ingress.api.context import principal_of
from services.ingress.api.job_answers import JobAnswers
from services.ingress.api.recorded_stream import RecordedStream
from services.ingress.domain.accepted import AcceptedJob
from shared.contracts.jobs import JobStatus
from shared.errors import DeadlineExceededError, DependencyUnavailableError


class KeyedCalls:
    """Waits for jobs that a synchronous or streamed request made, or made before."""

    def __init__(
        self,
        *,
        jobs: BackgroundJobs,
        answers: JobAnswers,
        chunks: RecordedChunks,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._jobs = jobs
        self._answers = answers
        self._chunks = chunks
        self._tasks = tasks

    async def answer(self, job: AcceptedJob, request: Request, until: datetime) -> Response:
        """Answer as a call without a key would have.

        Raises:
            DeadlineExceededError: There is no answer by ``until``.
            DependencyUnavailableError: This process ends, or PostgreSQL is away; the job goes on.
        """
        tenant_id = principal_of(request).tenant_id
        wait_s = (until - datetime.now(UTC)).total_seconds()
        async with while_connected(request.receive, self._tasks):
            ended = await self._jobs.settled(tenant_id, job.job_id, wait_s)
        if not ended.status.final:
            raise _no_answer(until)
        return await self._answers.result(tenant_id, job.job_id)

    async def stream(
        self, job: AcceptedJob, request: Request, until: datetime, *, include_usage: bool
    ) -> Response:
        """Answer with the job's chunks from the first on; the status is decided by what comes first.

        Raises:
            DeadlineExceededError: Nothing came by ``until``.
            DependencyUnavailableError: This process ends, or PostgreSQL is away; the job goes on.
        """
        tenant_id = principal_of(request).tenant_id
        chunks = self._chunks.follow(tenant_id, job.job_id, until)
        async with while_connected(request.receive, self._tasks):
            first = await anext(chunks)
        if first.end is not None and not first.lines and first.end.status is not JobStatus.COMPLETED:
            await chunks.aclose()
            return failure_answer(first.end.failure or NO_FAILURE)
        return RecordedStream(chunks, first, self._tasks, include_usage=include_usage)


def _no_answer(until: datetime) -> DeadlineExceededError | DependencyUnavailableError:
    if datetime.now(UTC) >= until:
        return DeadlineExceededError("The model did not answer in time.")
    return DependencyUnavailableError("The server is stopping; the same Idempotency-Key finds the answer.")
