"""Turns the lines of a batch's input into jobs, no more at a time than may be open."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from services.scheduler import metrics
from services.scheduler.domain.batch import Batch, NewBatchJob
from services.scheduler.domain.batch_input import next_lines
from services.scheduler.domain.batch_line import BatchLine, read_line
from services.scheduler.domain.batch_ports import Batches, BatchInputs, Bodies, SlackInputs
from services.scheduler.domain.slack import Slack, SlackPart
from shared.contracts.batches import BATCH_PREFIX
from shared.contracts.ids import new_id, public_id
from shared.contracts.provider_batches import line_id

PARALLEL_PUTS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchIntake:
    """Puts requests in.

    Args:
        batches: Take them, together with the place in the input where they end.
        inputs: Where they come from.
        bodies: Take the bodies that are too large for a row.
        slack_inputs: Take the requests that providers' batches get.
        chunk: Requests in one transaction at most.
        chunk_bytes: Bytes of the input that are read at once.
        max_line_bytes: Of the input.
    """

    batches: Batches
    inputs: BatchInputs
    bodies: Bodies
    slack_inputs: SlackInputs
    chunk: int
    chunk_bytes: int
    max_line_bytes: int

    async def next_requests(self, batch: Batch, most: int) -> tuple[list[BatchLine], int]:
        """Read requests that are no jobs yet; returns them and where the input goes on."""
        lines = await next_lines(
            await self.inputs.reader(batch.input_file_id),
            batch.input_offset,
            most=min(most, self.chunk, batch.total - batch.inserted),
            chunk_bytes=self.chunk_bytes,
            max_line_bytes=self.max_line_bytes,
        )
        requests = [read_line(text, endpoint=batch.endpoint) for text in lines.texts if text.strip()]
        return requests, lines.offset

    async def insert(self, batch: Batch, most: int, slack: Slack | None = None) -> Batch:
        """Put the next requests in: to be called live, or by a provider's batch while there is slack."""
        requests, offset = await self.next_requests(batch, most)
        places = asyncio.Semaphore(PARALLEL_PUTS)
        jobs = await asyncio.gather(
            *(
                self._job(batch, line, request, places)
                for line, request in enumerate(requests, batch.inserted + 1)
            )
        )
        part = None
        if slack is not None:
            data = _provider_lines(batch, jobs, requests)
            part = SlackPart(slack, await self.slack_inputs.put(batch, data))
        after = await self.batches.insert(batch, jobs, offset=offset, slack=part)
        metrics.BATCH_REQUESTS.labels("inserted").inc(len(requests))
        return after

    async def _job(
        self, batch: Batch, line: int, request: BatchLine, places: asyncio.Semaphore
    ) -> NewBatchJob:
        job_id = new_id()
        async with places:
            body, ref = await self.bodies.put_request(request.body, tenant_id=batch.tenant_id, job_id=job_id)
        return NewBatchJob(
            job_id=job_id,
            line=line,
            metadata={"batch_id": public_id(BATCH_PREFIX, batch.id), "custom_id": request.custom_id},
            body=body,
            body_ref=ref,
        )


def _provider_lines(batch: Batch, jobs: Sequence[NewBatchJob], requests: Sequence[BatchLine]) -> bytes:
    """Spell requests as lines of an input whose ``custom_id`` names the job."""
    url = orjson.dumps(batch.endpoint)
    return b"".join(
        b'{"custom_id":"%s","method":"POST","url":%s,"body":%s}\n'
        % (line_id(job.job_id, job.line).encode(), url, request.body)
        for job, request in zip(jobs, requests, strict=True)
    )
