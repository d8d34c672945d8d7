"""A provider call through the broker that somebody waits for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from services.ingress.adapters.background import Background
from services.ingress.adapters.broker_link import BrokerLink
from services.ingress.adapters.cancellation import Cancellation
from shared.contracts.jobs import (
    JobCancelRequested,
    JobDelta,
    JobFinished,
    JobRequested,
    JobStatus,
)
from shared.errors import DeadlineExceededError, PenstockError
from shared.http.errors import failure_of
from shared.messaging.broker import Message
from shared.messaging.requests import Replies
from shared.messaging.topology import RESULTS_FINISHED, job_topic
from shared.observability.tracing import inject
from shared.storage.bodies import BodyStore

WORKERS_WORD_S = 1.0
"""How long a worker's own record of the end, which has the usage, goes first: the first record counts."""


@dataclass(slots=True)
class Call:
    """A call under way."""

    job: JobRequested
    replies: Replies
    ends_at: float
    """In the time of the event loop."""

    async def next(self) -> JobDelta | JobFinished:
        """Wait for the next message of the worker.

        Raises:
            DeadlineExceededError: The time of the call is over.
            BrokerUnavailableError: The connection broke, so a reply may be lost.
        """
        try:
            message = await self.replies.next(self.ends_at - asyncio.get_running_loop().time())
        except TimeoutError:
            raise DeadlineExceededError("The model did not answer in time.") from None
        if message.type == JobDelta.message_type:
            return JobDelta.decode(message.body)
        return JobFinished.decode(message.body)


class ProviderCalls:
    """Publishes calls, and clears up behind those that end before their answer."""

    def __init__(
        self, link: BrokerLink, bodies: BodyStore, cancellation: Cancellation, background: Background
    ) -> None:
        self._link = link
        self._bodies = bodies
        self._cancellation = cancellation
        self._background = background

    @asynccontextmanager
    async def open(self, job: JobRequested) -> AsyncIterator[Call]:
        """Ask the workers, and listen for as long as the block lasts.

        Leaving the block by an error cancels the call upstream; by DeadlineExceededError also records it.

        Raises:
            DependencyUnavailableError: The job is not, or perhaps not, on the broker.
        """
        lasts_s = (job.deadline_at - datetime.now(UTC)).total_seconds()
        ends_at = asyncio.get_running_loop().time() + lasts_s
        address, replies = self._link.expect(job.job_id)
        with replies:
            try:
                await self._publish(job, address)
                yield Call(job, replies, ends_at)
            except DeadlineExceededError as error:
                self._background.run(self._expire(job, error), what="record an expired call")
                raise
            except (PenstockError, asyncio.CancelledError):
                self._background.run(self._cancel(job), what="cancel an abandoned call")
                raise

    async def answer(self, finished: JobFinished) -> bytes:
        """Return the provider's answer, wherever it is."""
        return await self._bodies.get(finished.body, finished.body_ref)

    async def _publish(self, job: JobRequested, address: str) -> None:
        body, ref = await self._bodies.put(
            job.body, tenant_id=job.tenant_id, job_id=job.job_id, kind="request"
        )
        if ref is not None:
            job = job.model_copy(update={"body": body, "body_ref": ref})
        message = Message(
            type=JobRequested.message_type,
            body=job.encode(),
            headers=inject(),
            correlation_id=str(job.job_id),
            reply_to=address,
            expires_at=job.deadline_at,
        )
        await self._link.publish(job_topic(job.operation, job.lane), message)

    async def _cancel(self, job: JobRequested) -> None:
        await self._cancellation.request(JobCancelRequested(job_id=job.job_id, tenant_id=job.tenant_id))

    async def _expire(self, job: JobRequested, error: DeadlineExceededError) -> None:
        await self._cancel(job)
        finished = JobFinished(
            **job.model_dump(
                include={"job_id", "tenant_id", "request_id", "operation", "lane", "model", "created_at"}
            ),
            status=JobStatus.EXPIRED,
            background=False,
            attempt=job.attempt,
            failure=failure_of(error),
            finished_at=datetime.now(UTC),
        )
        message = Message(type=JobFinished.message_type, body=finished.encode())
        await asyncio.sleep(WORKERS_WORD_S)
        await self._link.publish(RESULTS_FINISHED, message)
