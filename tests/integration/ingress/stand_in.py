"""A worker and a results service in one, scripted by the model's name, behind the real broker."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from shared.contracts.base import Contract
from shared.contracts.ids import new_id
from shared.contracts.jobs import (
    Failure,
    JobCancelRequested,
    JobDelta,
    JobFinished,
    JobRequested,
    JobsCancelRequested,
    JobsChanged,
    JobStatus,
    Operation,
    Usage,
)
from shared.messaging.broker import Broker, Delivery, Message, Settlement
from shared.messaging.topology import FLEET, RESULTS_QUEUE
from shared.storage.bodies import BodyStore
from shared.storage.postgres import Database
from shared.storage.transitions import JobEnd, finish_jobs

REFUSED = Failure(
    code="provider_rate_limited",
    message="The provider is busy.",
    kind="rate_limit_error",
    http_status=429,
    retry_after_s=7,
)
BROKEN = Failure(code="provider_protocol_error", message="The stream broke.", http_status=502)


class StandIn:
    """Takes jobs from every queue; keeps what it saw for the test to look at."""

    def __init__(
        self, broker: Broker, database: Database, bodies: BodyStore, tasks: asyncio.TaskGroup
    ) -> None:
        self._broker = broker
        self._database = database
        self._bodies = bodies
        self._tasks = tasks
        self.requests: list[JobRequested] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.cancelled: asyncio.Queue[UUID] = asyncio.Queue()
        self.recorded: asyncio.Queue[JobFinished] = asyncio.Queue()
        self.seen: asyncio.Queue[JobRequested] = asyncio.Queue()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def start(self) -> None:
        await self._broker.connect()
        await self._broker.listen(self._heard)
        for queue in FLEET.queues:
            await self._broker.subscribe(queue.name, prefetch=50, on_delivery=self._take)

    def _heard(self, message: Message) -> None:
        if message.type == JobCancelRequested.message_type:
            self.cancelled.put_nowait(JobCancelRequested.decode(message.body).job_id)
        elif message.type == JobsCancelRequested.message_type:
            for job_id in JobsCancelRequested.decode(message.body).attempts:
                self.cancelled.put_nowait(job_id)

    def _take(self, delivery: Delivery) -> None:
        self._tasks.create_task(self._handle(delivery))

    async def _handle(self, delivery: Delivery) -> None:
        message = delivery.message
        await delivery.settle(Settlement.ACK)
        if delivery.queue == RESULTS_QUEUE:
            if message.type == JobFinished.message_type:
                self.recorded.put_nowait(JobFinished.decode(message.body))
            return
        job = JobRequested.decode(message.body)
        self.requests.append(job)
        self.headers.append(dict(message.headers))
        self.bodies.append(await self._bodies.get(job.body, job.body_ref))
        self.seen.put_nowait(job)
        script = job.model.partition("/")[2]
        if script == "silent":
            return
        await self.go_on.wait()
        if job.background:
            await self._end_background(job, script)
        else:
            await self._reply(job, script, message.reply_to or "")

    async def _reply(self, job: JobRequested, script: str, address: str) -> None:
        start_id = new_id()
        deltas = 0
        if job.stream and script != "fail":
            for sequence, lines in enumerate(_chunks(self.bodies[-1])):
                if not (script == "gap" and sequence == 1):
                    await self._say(
                        address,
                        JobDelta(
                            job_id=job.job_id,
                            tenant_id=job.tenant_id,
                            start_id=start_id,
                            sequence=sequence,
                            body=lines,
                        ),
                    )
                deltas += 1
                if script == "cut":
                    break
        failure = REFUSED if script == "fail" else BROKEN if script == "cut" else None
        body = b"" if job.stream or failure else answer(job, self.bodies[-1], script)
        body, ref = await self._bodies.put(body, tenant_id=job.tenant_id, job_id=job.job_id, kind="result")
        await self._say(
            address,
            finished(job, failure=failure, start_id=start_id, deltas=deltas, body=body, body_ref=ref),
        )

    async def _say(self, address: str, contract: Contract) -> None:
        job_id: UUID = contract.job_id  # type: ignore[attr-defined]  # both replies have one
        await self._broker.reply(
            address,
            Message(type=contract.message_type, body=contract.encode(), correlation_id=str(job_id)),
        )

    async def _end_background(self, job: JobRequested, script: str) -> None:
        failure = REFUSED if script == "fail" else BROKEN if script == "cut" else None
        status = JobStatus.INCOMPLETE if script == "cut" else JobStatus.FAILED
        await self.end(
            JobEnd(
                job_id=job.job_id,
                status=status if failure else JobStatus.COMPLETED,
                finished_at=datetime.now(UTC),
                failure=failure,
                result=None if script == "fail" else answer(job, self.bodies[-1], script).decode(),
                provider="sim",
                usage=Usage(input_tokens=3, output_tokens=2, cost_microusd=5),
            )
        )

    async def end(self, end: JobEnd) -> bool:
        """Record an end as the results service does; says whether it was the first."""
        async with self._database.transaction() as connection:
            changed = await finish_jobs(connection, [end])
        await self.announce(end.job_id)
        return bool(changed)

    async def announce(self, job_id: UUID) -> None:
        changed = JobsChanged(job_ids=(job_id,))
        await self._broker.broadcast(Message(type=changed.message_type, body=changed.encode()))

    async def append_event(self, job_id: UUID, kind: str, data: str) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(
                """WITH j AS (UPDATE jobs SET last_event = last_event + 1, status = 'in_progress'
                   WHERE id = $1 RETURNING tenant_id, last_event)
                   INSERT INTO job_events (job_id, sequence, tenant_id, type, data)
                   SELECT $1, last_event, tenant_id, $2, $3 FROM j""",
                job_id,
                kind,
                data,
            )
        await self.announce(job_id)


def finished(job: JobRequested, **fields: Any) -> JobFinished:
    failure = fields.get("failure")
    return JobFinished(
        **job.model_dump(
            include={"job_id", "tenant_id", "request_id", "operation", "lane", "model", "created_at"}
        ),
        status=JobStatus.FAILED if failure else JobStatus.COMPLETED,
        background=job.background,
        attempt=job.attempt,
        finished_at=datetime.now(UTC),
        **fields,
    )


def answer(job: JobRequested, body: bytes, script: str) -> bytes:
    request = orjson.loads(body)
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    shared = {"model": job.model, "created": 1, "usage": usage}
    match job.operation:
        case Operation.CHAT:
            text = request["messages"][-1]["content"] if script != "large" else "x" * 300_000
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return orjson.dumps(
                {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], **shared}
            )
        case Operation.COMPLETION:
            choice = {"index": 0, "text": request["prompt"], "finish_reason": "stop"}
            return orjson.dumps({"id": "cmpl-1", "object": "text_completion", "choices": [choice], **shared})
        case Operation.EMBEDDING:
            data = [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]
            return orjson.dumps({"object": "list", "data": data, **shared})
        case Operation.IMAGE:
            return orjson.dumps({"created": 1, "data": [{"url": "https://images.example/1.png"}]})


def _chunks(body: bytes) -> list[bytes]:
    """Deltas of one word each; the last one holds two lines, the second of them the usage."""
    words = str(orjson.loads(body)["messages"][-1]["content"]).split(" ")
    deltas = [
        _chunk([{"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}])
        for word in words
    ]
    usage = {"prompt_tokens": 3, "completion_tokens": len(words), "total_tokens": 3 + len(words)}
    end = _chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    return [*deltas, end + b"\n" + _chunk([], usage=usage)]


def _chunk(choices: list[dict[str, Any]], **more: Any) -> bytes:
    return orjson.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": choices,
            **more,
        }
    )
