"""``POST /v1/jobs/batch``: many jobs in one request."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import orjson
from starlette.requests import Request
from starlette.responses import Response

from services.ingress.adapters.background_jobs import BackgroundJobs
from services.ingress.adapters.backlog import Backlog
from services.ingress.adapters.bulk_commit import BulkCommit
from services.ingress.adapters.idempotency_keys import IdempotencyKeys, Remembered
from services.ingress.api.answers import json_answer, raw_answer
from services.ingress.api.body import read_body
from services.ingress.api.context import context_of, principal_of
from services.ingress.api.idempotency import REPLAYED, key_use
from services.ingress.api.memory_budget import MemoryBudget
from services.ingress.api.time_slices import TimeSlices, beside_the_loop
from services.ingress.domain.batch_lines import jobs_in
from services.ingress.domain.idempotency import KeyUse
from services.ingress.domain.job_batch import JobBatch, NoJobAcceptedError
from services.ingress.domain.job_times import JobLimits, read_cancel_after
from services.ingress.domain.new_job import KeptAnswer, NewJob
from services.ingress.domain.submission import Submission
from services.ingress.settings import IngressSection
from shared.config.catalog import Catalog
from shared.contracts.jobs import Lane, Operation
from shared.http.errors import openai_error
from shared.security.egress import EgressPolicy

PUT_AT_ONCE = 50
"""Jobs whose bodies are put aside at the same time, where they are large."""
ACCEPTED = 202


class JobBatchEndpoint:
    """Checks every job, then commits those that are right in one transaction."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        jobs: BackgroundJobs,
        backlog: Backlog,
        commits: BulkCommit,
        keys: IdempotencyKeys,
        settings: IngressSection,
        limits: JobLimits,
        egress: EgressPolicy,
    ) -> None:
        self._catalog = catalog
        self._jobs = jobs
        self._backlog = backlog
        self._commits = commits
        self._keys = keys
        self._settings = settings
        self._limits = limits
        self._egress = egress
        self._memory = MemoryBudget(settings.batch_memory_bytes)

    async def __call__(self, request: Request) -> Response:
        """Answer when the jobs are durable, or with what the idempotency key created before."""
        with self._memory.share() as memory:
            body = await read_body(
                request,
                max_bytes=self._settings.max_batch_bytes,
                timeout_s=self._settings.body_timeout_s,
                on_chunk=memory.take,
            )
            now = datetime.now(UTC)
            # The fingerprint of a large body is computed beside the event loop.
            use = await asyncio.to_thread(key_use, request, body)
            earlier = None
            if use is not None:
                earlier = await self._keys.find(principal_of(request).tenant_id, use)
            return _again(request, earlier) if earlier else await self._accept(request, body, use, now)

    async def _accept(self, request: Request, body: bytes, use: KeyUse | None, now: datetime) -> Response:
        batch = await self._checked(request, body, now)
        try:
            batch.check_any()
        except NoJobAcceptedError as error:
            return json_answer({**batch.render([]), **openai_error(error)}, error.http_status)
        self._admit([submission for _, submission in batch.good])
        jobs = await self._prepared(request, batch, now)
        answer = orjson.dumps(batch.render(jobs))
        kept = None if use is None else KeptAnswer(use, ACCEPTED, answer)
        earlier = await self._commits.commit(principal_of(request).tenant_id, jobs, kept)
        return _again(request, earlier) if earlier else raw_answer(answer, ACCEPTED)

    async def _checked(self, request: Request, body: bytes, now: datetime) -> JobBatch:
        given = context_of(request.scope).given
        batch = JobBatch(
            catalog=self._catalog,
            limits=self._limits,
            egress=self._egress,
            now=now,
            cancel_after=read_cancel_after(given.get(b"cancel-after"), now),
            max_jobs=self._settings.max_batch_jobs,
            max_job_bytes=self._settings.max_body_bytes,
        )
        slices = TimeSlices()
        texts = jobs_in(body, given.get(b"content-type", b"").decode("latin-1"))
        async for text in beside_the_loop(texts):
            batch.add(text)
            await slices.rest_if_due()
        return batch

    def _admit(self, submissions: Iterable[Submission]) -> None:
        """Let all of them into their queues, or none."""
        deadlines: dict[tuple[Operation, Lane], list[datetime]] = defaultdict(list)
        for submission in submissions:
            if submission.run_at is None:
                deadlines[submission.inference.operation, submission.lane].append(submission.deadline_at)
        for (operation, lane), moments in deadlines.items():
            self._backlog.admit(operation, lane, min(moments), jobs=len(moments))

    async def _prepared(self, request: Request, batch: JobBatch, now: datetime) -> Sequence[NewJob]:
        tenant_id = principal_of(request).tenant_id
        request_id = context_of(request.scope).request_id
        jobs: list[NewJob] = []
        slices = TimeSlices()
        for start in range(0, len(batch.good), PUT_AT_ONCE):
            part = batch.good[start : start + PUT_AT_ONCE]
            jobs += await asyncio.gather(
                *(
                    self._jobs.prepare(submission, tenant_id=tenant_id, request_id=request_id, created_at=now)
                    for _, submission in part
                )
            )
            await slices.rest_if_due()
        return jobs


def _again(request: Request, earlier: Remembered) -> Response:
    context_of(request.scope).headers.append(REPLAYED)
    return raw_answer(earlier.answer or b"{}", earlier.status)
