"""Background jobs from submission to the end that somebody waits for."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from uuid import UUID

import orjson

from services.ingress.adapters.group_commit import GroupCommit
from services.ingress.adapters.idempotency_keys import IdempotencyKeys, Remembered
from services.ingress.adapters.job_rows import JobRows
from services.ingress.adapters.job_watch import JobWatch
from services.ingress.adapters.queue_drains import QueueDrains
from services.ingress.domain.accepted import AcceptedJob
from services.ingress.domain.idempotency import IdempotencyKeyInUseError, KeyUse
from services.ingress.domain.job import Job
from services.ingress.domain.new_job import KeptAnswer, NewJob
from services.ingress.domain.submission import Submission
from shared.contracts.ids import new_id
from shared.contracts.jobs import JobStatus
from shared.errors import DependencyUnavailableError
from shared.observability.tracing import inject
from shared.storage.bodies import BodyStore

LOOKS = 30
LOOK_AGAIN_S = 0.05
"""While another request takes the same key: together less than the two seconds in which a caller hears."""
ACCEPTED = 202


class BackgroundJobs:
    """Accepts jobs, and waits for them."""

    def __init__(
        self,
        *,
        bodies: BodyStore,
        commits: GroupCommit,
        keys: IdempotencyKeys,
        rows: JobRows,
        watch: JobWatch,
        drains: QueueDrains,
    ) -> None:
        self._bodies = bodies
        self._drains = drains
        self._commits = commits
        self._keys = keys
        self._rows = rows
        self._watch = watch

    async def earlier(self, tenant_id: UUID, use: KeyUse) -> AcceptedJob | None:
        """Return the job that an idempotency key created; None when the key is new.

        Raises:
            IdempotencyKeyReusedError: It belongs to another request.
            DatabaseUnavailableError: PostgreSQL is away.
        """
        found = await self._keys.find(tenant_id, use)
        return None if found is None else _as_remembered(found)

    async def accept(
        self,
        submission: Submission,
        *,
        tenant_id: UUID,
        request_id: str,
        created_at: datetime,
        spell: Callable[[Job], bytes],
        use: KeyUse | None = None,
    ) -> AcceptedJob:
        """Return the job once it is durable; the earlier one where the idempotency key has one.

        Args:
            submission: What to do.
            tenant_id: Whose it is.
            request_id: Of the request.
            created_at: When it came.
            spell: Spells the answer, which is kept with the key.
            use: The idempotency key, if any.

        Raises:
            IdempotencyKeyReusedError: The key belongs to another request.
            IdempotencyKeyInUseError: Another request with it is about to be accepted.
            DependencyUnavailableError: PostgreSQL or the object store is away, too much waits, or an
                operator lets the queue run empty.
        """
        new = await self.prepare(
            submission, tenant_id=tenant_id, request_id=request_id, created_at=created_at
        )
        answer = spell(as_accepted(new))
        if use is not None:
            new = replace(new, kept=KeptAnswer(use, ACCEPTED, answer))
            return await self._accept_once(new, use, answer)
        if not await self._commits.submit(new):
            raise DependencyUnavailableError("The job was not committed.")
        return AcceptedJob(job_id=new.job_id, lane=new.lane, answer=answer)

    async def _accept_once(self, new: NewJob, use: KeyUse, answer: bytes) -> AcceptedJob:
        for _ in range(LOOKS):
            if await self._commits.submit(new):
                return AcceptedJob(job_id=new.job_id, lane=new.lane, answer=answer)
            earlier = await self.earlier(new.tenant_id, use)
            if earlier is not None:
                return earlier
            await asyncio.sleep(LOOK_AGAIN_S)
        raise IdempotencyKeyInUseError

    async def prepare(
        self, submission: Submission, *, tenant_id: UUID, request_id: str, created_at: datetime
    ) -> NewJob:
        """Give a submission its id, and put its body aside if it is large.

        Raises:
            ObjectStoreUnavailableError: The object store is away.
        """
        job_id = new_id()
        inference = submission.inference
        self._drains.require_open(inference.operation, submission.lane)
        body, ref = await self._bodies.put(inference.body, tenant_id=tenant_id, job_id=job_id, kind="request")
        return NewJob(
            job_id=job_id,
            tenant_id=tenant_id,
            request_id=request_id,
            operation=inference.operation,
            lane=submission.lane,
            model=inference.model,
            stream=inference.stream,
            metadata=submission.metadata,
            body=body,
            body_ref=ref,
            created_at=created_at,
            run_at=submission.run_at,
            deadline_at=submission.deadline_at,
            max_attempts=submission.max_attempts,
            webhook=submission.webhook,
            headers=inject(),
            retention_s=submission.retention_s,
        )

    async def settled(self, tenant_id: UUID, job_id: UUID, wait_s: float) -> Job:
        """Return the job when it has its end, at the latest after ``wait_s`` seconds as it was last seen.

        Raises:
            NotFoundError: There is none.
            DatabaseUnavailableError: PostgreSQL is away.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + wait_s
        with self._watch.of(tenant_id, job_id) as watcher:
            look = partial(self._rows.get, tenant_id, job_id)
            job = await watcher.read(look)
            while not job.status.final and not watcher.stopping:
                watcher.seen = job.last_event
                if not await watcher.wait(until - clock()):
                    break
                job = await watcher.read(look)
            return job


def as_accepted(new: NewJob) -> Job:
    """Show a job that was committed a moment ago."""
    return Job(
        id=new.job_id,
        status=JobStatus.QUEUED,
        operation=new.operation,
        lane=new.lane,
        model=new.model,
        background=True,
        stream=new.stream,
        metadata=new.metadata,
        failure=None,
        created_at=new.created_at,
        run_at=new.run_at,
        deadline_at=new.deadline_at,
        max_attempts=new.max_attempts,
        webhook=None if new.webhook is None else new.webhook.document(),
        last_event=1,
        published_at=new.created_at,
    )


def _as_remembered(found: Remembered) -> AcceptedJob:
    answer = found.answer or b"{}"
    return AcceptedJob(
        job_id=found.object_id, lane=orjson.loads(answer)["lane"], answer=answer, replayed=True
    )
