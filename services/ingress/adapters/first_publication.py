"""Committed jobs on their way to the broker, at once and off the caller's path.

What is not published here (the broker is down, too much waits, the process dies) is published by the
outbox sweep of the scheduler; what both publish is run once.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import structlog

from services.ingress.adapters.broker_link import BrokerLink
from services.ingress.adapters.new_job_rows import PUBLISH_ALONE_S
from services.ingress.adapters.patience import database_patience
from services.ingress.domain.new_job import NewJob
from shared.contracts.jobs import JobRequested
from shared.errors import DatabaseUnavailableError, PenstockError
from shared.messaging.broker import Message
from shared.messaging.topology import job_topic
from shared.runtime.crash_points import CrashPoint, crash_points
from shared.storage.outbox import Publication, mark_published
from shared.storage.postgres import Database, act_for

MAX_BATCH = 200
_log = structlog.get_logger()


class FirstPublication:
    """Publishes in batches and marks what the broker confirmed."""

    def __init__(self, link: BrokerLink, database: Database, *, max_waiting: int) -> None:
        self._link = link
        self._database = database
        self._max_waiting = max_waiting
        self._waiting: deque[NewJob] = deque()
        self._arrived = asyncio.Event()

    def enqueue(self, jobs: Sequence[NewJob]) -> None:
        """Take committed jobs; those beyond the bound, and those that are to run later, are the sweep's."""
        jobs = [job for job in jobs if job.run_at is None]
        room = self._max_waiting - len(self._waiting)
        self._waiting.extend(jobs[:room] if room > 0 else ())
        if len(jobs) > room:
            _log.warning("left to the outbox sweep", jobs=len(jobs) - max(room, 0))
        self._arrived.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
                await self._publish_batch(batch)

    async def _publish_batch(self, batch: Sequence[NewJob]) -> None:
        now = datetime.now(UTC)
        # An older one is the sweep's already.
        young = [job for job in batch if (now - job.created_at).total_seconds() < PUBLISH_ALONE_S]
        confirmed = await asyncio.gather(*map(self._publish, young))
        marks: dict[UUID, list[Publication]] = defaultdict(list)
        for job, published in zip(young, confirmed, strict=True):
            if published:
                marks[job.tenant_id].append(Publication(job.job_id, attempt=1, publication=1))
        if not marks:
            return
        crash_points.reach(CrashPoint.PUBLISH_CONFIRMED)
        try:
            async with database_patience(), self._database.transaction() as connection:
                for tenant_id, publications in marks.items():
                    await act_for(connection, tenant_id)
                    await mark_published(connection, publications)
        except DatabaseUnavailableError as error:
            _log.warning("publications not marked, the sweep repeats them", reason=error.message)
            return
        crash_points.reach(CrashPoint.PUBLISH_MARKED)

    async def _publish(self, job: NewJob) -> bool:
        message = Message(
            type=JobRequested.message_type,
            body=job.request().encode(),
            headers=dict(job.headers),
            correlation_id=str(job.job_id),
            expires_at=job.deadline_at,
        )
        try:
            await self._link.publish(job_topic(job.operation, job.lane), message)
        except PenstockError as error:
            _log.warning("left to the outbox sweep", job_id=str(job.job_id), code=error.code)
            return False
        return True
