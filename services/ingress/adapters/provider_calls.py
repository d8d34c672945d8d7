"""A provider call through the broker that somebody waits for."""

import asyncio
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from services.ingress.adapters.background import Background
from services.ingress.adapters.broker_link import BrokerLink
from services.ingress.adapters.cancellation import Cancellation
from services.ingress.adapters.queue_drains import QueueDrains
from services.ingress.domain.reply import ReplyDelta, ReplyEnd, read_reply
from shared.contracts.jobs import JobFinished, JobRequested, JobStatus
from shared.errors import DeadlineExceededError, PenstockError
from shared.http.errors import failure_of
from shared.messaging.broker import Message
from shared.messaging.requests import Replies
from shared.messaging.topology import RESULTS_FINISHED, job_topic
from shared.observability.tracing import inject
from shared.storage.bodies import BodyStore

WORKERS_WORD_S = 1.0
"""How long a worker's own record of the end, which has the usage, goes first: the first record counts."""


class Call:
    """A call under way, for as long as the block lasts.

    Leaving the block by an error cancels the call upstream; by DeadlineExceededError also records it.
    """

    def __init__(self, job: JobRequested, address: str, replies: Replies, calls: "ProviderCalls") -> None:
        self.job = job
        self.address = address
        self._replies = replies
        self._calls = calls

    def __enter__(self) -> Self:
        """Listen for replies, until the deadline of the job."""
        self._replies.__enter__()
        lasts_s = (self.job.deadline_at - datetime.now(UTC)).total_seconds()
        self._late = asyncio.get_running_loop().call_later(lasts_s, self._expire)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Listen no more, and clear up behind a call that has no answer."""
        self._late.cancel()
        self._replies.__exit__(kind, error, traceback)
        if isinstance(error, DeadlineExceededError):
            self._calls.expire(self.job, error)
        elif isinstance(error, (PenstockError, asyncio.CancelledError)):
            self._calls.cancel(self.job)

    async def publish(self) -> None:
        """Ask the workers.

        Raises:
            DependencyUnavailableError: The job is not, or perhaps not, on the broker.
        """
        await self._calls.publish(self.job, self.address)

    async def next(self) -> ReplyDelta | ReplyEnd:
        """Wait for the next message of the worker.

        Raises:
            DeadlineExceededError: The time of the call is over.
            BrokerUnavailableError: The connection broke, so a reply may be lost.
            PenstockError: What :meth:`give_up` was told.
        """
        message = await self._replies.next()
        return read_reply(message.type, message.body)

    def arrived(self) -> ReplyDelta | ReplyEnd | None:
        """Return the next message of the worker if it is there already."""
        message = self._replies.arrived()
        return None if message is None else read_reply(message.type, message.body)

    def give_up(self, error: PenstockError) -> None:
        """End the waiting of whoever waits for the next message."""
        self._replies.give_up(error)

    def _expire(self) -> None:
        self.give_up(DeadlineExceededError("The model did not answer in time."))


class ProviderCalls:
    """Publishes calls, and clears up behind those that end before their answer."""

    def __init__(
        self,
        link: BrokerLink,
        bodies: BodyStore,
        cancellation: Cancellation,
        background: Background,
        drains: QueueDrains,
    ) -> None:
        self._link = link
        self._bodies = bodies
        self._cancellation = cancellation
        self._background = background
        self._drains = drains

    def open(self, job: JobRequested) -> Call:
        """Prepare a call; enter it, then publish it.

        Raises:
            BrokerUnavailableError: The broker is not connected.
            QueueDrainingError: An operator lets the queue run empty.
        """
        self._drains.require_open(job.operation, job.lane)
        address, replies = self._link.expect(job.job_id)
        return Call(job, address, replies, self)

    async def answer(self, end: ReplyEnd) -> bytes:
        """Return the provider's answer, wherever it is."""
        return await self._bodies.get(end.body, end.body_ref)

    async def publish(self, job: JobRequested, address: str) -> None:
        """Put a job on the broker; the replies go to the address."""
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

    def cancel(self, job: JobRequested) -> None:
        """Tell the workers, in the background, that nobody waits any more."""
        self._background.run(self._cancel(job), what="cancel an abandoned call")

    def expire(self, job: JobRequested, error: DeadlineExceededError) -> None:
        """Cancel a call whose time is over, and record its end unless the worker does."""
        self._background.run(self._expire(job, error), what="record an expired call")

    async def _cancel(self, job: JobRequested) -> None:
        await self._cancellation.request(job.tenant_id, job.job_id, job.attempt)

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
