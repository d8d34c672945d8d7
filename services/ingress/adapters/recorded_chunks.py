"""The chunks of a background job out of its event log, as they come."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from uuid import UUID

from services.ingress.adapters.job_rows import JobRows
from services.ingress.adapters.job_watch import JobWatch, Watcher
from services.ingress.domain.recorded import RecordedAnswer, RecordedEnd, RecordedPart
from shared.contracts.jobs import JobStatus
from shared.errors import DeadlineExceededError, DependencyUnavailableError

PAGE = 100


class RecordedChunks:
    """Reads the log on from wherever the answer that counts begins, on any ingress."""

    def __init__(self, rows: JobRows, watch: JobWatch) -> None:
        self._rows = rows
        self._watch = watch

    async def follow(
        self, tenant_id: UUID, job_id: UUID, until: datetime
    ) -> AsyncGenerator[RecordedPart, None]:
        """Yield what is new, whenever there is something; the last part has the job's end.

        Raises:
            StreamInterruptedError: The answer began anew after a part of it was yielded, or is not whole.
            DeadlineExceededError: No end by ``until``.
            DependencyUnavailableError: This process ends, or PostgreSQL is away.
        """
        answer = RecordedAnswer()
        with self._watch.of(tenant_id, job_id) as watcher:
            after = await self._rows.answer_begins(tenant_id, job_id)
            while True:
                job, events = await self._rows.events(tenant_id, job_id, after=after, limit=PAGE)
                watcher.seen = job.last_event
                for event in events:
                    answer.add(event.type, event.data)
                    after = event.sequence
                over = job.status.final and len(events) < PAGE
                lines = answer.take()
                if lines or over:
                    if job.status is JobStatus.COMPLETED and over:
                        answer.check_whole()
                    yield RecordedPart(lines, RecordedEnd(job.status, job.failure) if over else None)
                if over:
                    return
                if len(events) < PAGE:
                    await _wait(watcher, until)


async def _wait(watcher: Watcher, until: datetime) -> None:
    left = (until - datetime.now(UTC)).total_seconds()
    if left <= 0:
        raise DeadlineExceededError("The model did not answer in time.")
    if watcher.stopping:
        raise DependencyUnavailableError("The server is stopping; the same Idempotency-Key finds the answer.")
    await watcher.wait(left)
