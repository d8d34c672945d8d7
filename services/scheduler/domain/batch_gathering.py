"""Writes down what the requests of a batch came to, in the order of its input."""

from dataclasses import dataclass, replace

from services.scheduler import metrics
from services.scheduler.domain.batch import Batch, EndedJob
from services.scheduler.domain.batch_intake import BatchIntake
from services.scheduler.domain.batch_output import Gathered
from services.scheduler.domain.batch_ports import BatchChangedError, Batches, BatchOutputs, Bodies
from shared.contracts.batches import BatchStatus
from shared.contracts.ids import new_id
from shared.contracts.jobs import Failure, JobStatus
from shared.errors import NotFoundError
from shared.http.errors import failure_of


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchGathering:
    """Gathers page by page.

    Args:
        batches: Tell what the jobs came to.
        outputs: Take the lines.
        bodies: Give the answers that are too large for a row.
        intake: Gives the requests that never became jobs.
        page: Requests at a time at most.
        page_bytes: Bytes of answers at a time; one answer may be longer.
    """

    batches: Batches
    outputs: BatchOutputs
    bodies: Bodies
    intake: BatchIntake
    page: int
    page_bytes: int

    async def gather(self, batch: Batch) -> Batch:
        """Write down a page of jobs.

        Raises:
            BatchChangedError: There is none, as its caller has just had the next one retried.
        """
        jobs = await self.batches.ended_jobs(batch, most=self.page, most_bytes=self.page_bytes)
        if not jobs:
            raise BatchChangedError("The next job is open again.")
        gathered = Gathered(batch.gathered)
        for job in jobs:
            gathered.add(*await self._fetched(job))
            if gathered.size >= self.page_bytes:
                break
        return await self._append(batch, gathered)

    async def gather_unsent(self, batch: Batch) -> Batch:
        """Write down a page of requests that never became jobs: time was over, or they were cancelled."""
        requests, offset = await self.intake.next_requests(batch, self.page)
        gathered = Gathered(batch.gathered)
        for request in requests:
            gathered.add_unsent(
                new_id(), request.custom_id, expired=batch.status is not BatchStatus.CANCELLING
            )
        return await self._append(batch, gathered, offset=offset)

    async def _append(self, batch: Batch, gathered: Gathered, *, offset: int | None = None) -> Batch:
        after = await self.outputs.append(batch, gathered, offset=offset)
        metrics.BATCH_REQUESTS.labels("completed").inc(len(gathered.output))
        metrics.BATCH_REQUESTS.labels("failed").inc(len(gathered.errors))
        return after

    async def _fetched(self, job: EndedJob) -> tuple[EndedJob, bytes]:
        """Fetch an answer; one that is gone makes a failure of its job, so that the batch can end."""
        try:
            answer = await self.bodies.get((job.result or "").encode(), job.result_ref)
        except NotFoundError as error:
            return _lost(job, failure_of(error)), b""
        if job.status is JobStatus.COMPLETED and not answer:
            return _lost(job, failure_of(NotFoundError("The answer has been erased."))), b""
        return job, answer


def _lost(job: EndedJob, failure: Failure) -> EndedJob:
    return replace(job, status=JobStatus.FAILED, result=None, result_ref=None, failure=failure)
