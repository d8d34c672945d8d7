"""Background jobs from submission to the end that somebody waits for."""

import asyncio
from datetime import datetime
from functools import partial
from uuid import UUID

from services.ingress.adapters.group_commit import GroupCommit
from services.ingress.adapters.job_rows import JobRows
from services.ingress.adapters.job_watch import JobWatch
from services.ingress.domain.job import Job
from services.ingress.domain.new_job import NewJob
from services.ingress.domain.submission import Submission
from shared.contracts.ids import new_id
from shared.contracts.jobs import JobStatus
from shared.observability.tracing import inject
from shared.storage.bodies import BodyStore


class BackgroundJobs:
    """Accepts jobs, and waits for them."""

    def __init__(self, bodies: BodyStore, commits: GroupCommit, rows: JobRows, watch: JobWatch) -> None:
        self._bodies = bodies
        self._commits = commits
        self._rows = rows
        self._watch = watch

    async def accept(
        self, submission: Submission, *, tenant_id: UUID, request_id: str, created_at: datetime
    ) -> Job:
        """Return the job once it is durable.

        Raises:
            DependencyUnavailableError: PostgreSQL or the object store is away, or too much waits.
        """
        job_id = new_id()
        inference = submission.inference
        body, ref = await self._bodies.put(inference.body, tenant_id=tenant_id, job_id=job_id, kind="request")
        new = NewJob(
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
            deadline_at=submission.deadline_at,
            max_attempts=submission.max_attempts,
            headers=inject(),
            retention_s=submission.retention_s,
        )
        await self._commits.submit(new)
        return _as_accepted(new)

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


def _as_accepted(new: NewJob) -> Job:
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
        deadline_at=new.deadline_at,
        max_attempts=new.max_attempts,
        last_event=1,
    )
