"""The answer to ``stream: true``, from replies to ASGI messages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from services.ingress.adapters.provider_calls import Call, ProviderCalls
from services.ingress.api.reply_stream import ReplyStream
from services.ingress.domain.client_gone import ClientGoneError
from shared.contracts.ids import new_id
from shared.contracts.jobs import JobRequested, JobStatus, Lane, Operation
from shared.messaging.broker import Broker, Message
from shared.messaging.requests import Requester
from tests.unit.ingress.test_reply import START, delta, finished

NOW = datetime.now(UTC)
JOB = JobRequested(
    job_id=new_id(),
    tenant_id=new_id(),
    request_id="r",
    operation=Operation.CHAT,
    lane=Lane.INTERACTIVE,
    model="m",
    created_at=NOW,
    deadline_at=NOW + timedelta(days=1),  # the suite imports this long before it runs it
)


class Worker:
    """The other end of an inbox in this process, and whoever is told of calls that were left."""

    address = "inbox"

    def __init__(self) -> None:
        self.sequence = 0
        self.cancelled: list[JobRequested] = []

    async def open_inbox(self, on_reply: Any, _: Any) -> "Worker":
        self._on_reply = on_reply
        return self

    async def close(self) -> None:
        return

    def cancel(self, job: JobRequested) -> None:
        self.cancelled.append(job)

    def say(self, kind: str, body: bytes) -> None:
        self._on_reply(Message(type=kind, body=body, correlation_id=str(JOB.job_id)))

    def delta(self, text: bytes, sequence: int | None = None) -> None:
        said = delta(self.sequence if sequence is None else sequence, text)
        self.sequence += 1
        self.say(said.message_type, said.encode())

    def end(self) -> None:
        said = finished(start_id=START, deltas=self.sequence, status=JobStatus.COMPLETED)
        self.say(said.message_type, said.encode())


class Connection:
    """The client's, as ASGI shows it; what is written while nobody reads is joined."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.wrote = asyncio.Event()

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body":
            self.bodies.append(message["body"])
            self.wrote.set()

    async def receive(self) -> Any:
        raise AssertionError("the stream reads nothing of the client")


@asynccontextmanager
async def calling(worker: Worker) -> AsyncIterator[tuple[Call, ExitStack]]:
    async with Requester(cast("Broker", worker)) as requester:
        replies = requester.expect(str(JOB.job_id))
        with ExitStack() as owner:
            call = Call(JOB, requester.address, replies, cast("ProviderCalls", worker))
            yield owner.enter_context(call), owner.pop_all()


async def stream_of(call: Call, owner: ExitStack) -> ReplyStream:
    return ReplyStream(call, await call.next(), owner, include_usage=False)


async def test_what_waits_for_one_caller_is_one_write():
    worker, client = Worker(), Connection()
    async with calling(worker) as (call, owner):
        for text in (b"1", b"2", b"3"):
            worker.delta(text)
        stream = await stream_of(call, owner)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stream({}, client.receive, client.send))
            await client.wrote.wait()
            worker.delta(b"4")
            worker.end()
    assert client.bodies == [
        b"data: 1\n\ndata: 2\n\ndata: 3\n\n",
        b"data: 4\n\ndata: [DONE]\n\n",
    ]
    assert worker.cancelled == []


async def test_what_came_before_a_gap_is_sent_before_the_error():
    worker, client = Worker(), Connection()
    async with calling(worker) as (call, owner):
        worker.delta(b"1")
        worker.delta(b"3", sequence=2)
        await (await stream_of(call, owner))({}, client.receive, client.send)
    assert len(client.bodies) == 1
    assert client.bodies[0].startswith(b'data: 1\n\ndata: {"error"')
    assert worker.cancelled == [JOB]


async def test_a_client_that_leaves_ends_the_call_and_gets_nothing_more():
    worker, client = Worker(), Connection()
    async with calling(worker) as (call, owner):
        worker.delta(b"1")
        stream = await stream_of(call, owner)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stream({}, client.receive, client.send))
            await client.wrote.wait()
            call.give_up(ClientGoneError("The client closed the connection."))
    assert client.bodies == [b"data: 1\n\n"]
    assert worker.cancelled == [JOB]
