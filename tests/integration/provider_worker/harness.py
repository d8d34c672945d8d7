"""A worker in this process over real engines, and what stands around it: callers, records, a provider."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import aiohttp
from prometheus_client import CollectorRegistry
from tenacity import AsyncRetrying, stop_after_delay, wait_fixed

from services.provider_worker.app import running
from services.provider_worker.settings import ProviderWorkerSettings
from services.results.consumers.records import records_of
from shared.config.settings import BrokerSettings
from shared.contracts.base import Contract
from shared.contracts.ids import new_id
from shared.contracts.jobs import (
    JobCancelRequested,
    JobDeferred,
    JobDelta,
    JobFinished,
    JobRequested,
    JobsHeld,
    JobStarted,
    Lane,
    Operation,
)
from shared.messaging.broker import Broker, Delivery, Message, Settlement
from shared.messaging.factory import make_broker
from shared.messaging.requests import Replies, Requester
from shared.messaging.topology import RESULTS_QUEUE, job_topic
from shared.runtime.health import Health

TENANT = UUID("0198c1f2-a5b4-7c3d-8e9f-001122334455")
_RECORDS = {
    contract.message_type: contract for contract in (JobStarted, JobDelta, JobsHeld, JobDeferred, JobFinished)
}
C = TypeVar("C", bound=Contract)
PATIENCE_S = 15.0


def requested(operation: Operation = Operation.CHAT, **fields: Any) -> JobRequested:
    """Make a request; ``input`` is its body, ``simulator`` what the provider shall do."""
    body = {"messages": [{"role": "user", "content": "say it back"}], **fields.pop("input", {})}
    if "simulator" in fields:
        body["simulator"] = fields.pop("simulator")
    model = fields.pop("model", "simulator/echo")
    now = datetime.now(UTC)
    defaults = {
        "job_id": new_id(),
        "tenant_id": TENANT,
        "request_id": "req_1",
        "operation": operation,
        "lane": Lane.INTERACTIVE,
        "model": model,
        "created_at": now,
        "deadline_at": now + timedelta(seconds=30),
        "body": json.dumps({"model": model, "stream": fields.get("stream", False)} | body).encode(),
    }
    return JobRequested(**{**defaults, **fields})


def patiently() -> AsyncRetrying:
    """Look again and again, within a limit, until an assertion holds."""
    return AsyncRetrying(wait=wait_fixed(0.02), stop=stop_after_delay(PATIENCE_S), reraise=True)


@dataclass
class Records:
    """Everything that reached the results queue, in order."""

    all: list[Contract] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    """As they came; one may carry several records."""
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def add(self, delivery: Delivery) -> None:
        async with self._arrived:
            message = delivery.message
            self.messages.append(message)
            for name, record in records_of(message):
                self.all.append(_RECORDS[name].decode(record))
            self._arrived.notify_all()
        await delivery.settle(Settlement.ACK)

    def of(self, contract: type[C], job_id: UUID) -> list[C]:
        return [each for each in self.all if isinstance(each, contract) and each.job_id == job_id]

    async def wait(self, found: Any) -> None:
        """Wait until a condition over the records holds."""
        async with asyncio.timeout(PATIENCE_S), self._arrived:
            await self._arrived.wait_for(found)

    async def end_of(self, job_id: UUID) -> JobFinished:
        await self.wait(lambda: self.of(JobFinished, job_id))
        return self.of(JobFinished, job_id)[0]


@dataclass
class Surroundings:
    """What a worker works for and with."""

    broker: Broker
    requester: Requester
    records: Records
    settings: dict[str, Any]
    provider_url: str

    def worker(self, **worker: Any) -> Any:
        """Run a worker while a block runs; yields its health."""
        settings = ProviderWorkerSettings(**self.settings, worker={"held_interval_s": 0.2, **worker})
        return _started(settings)

    async def publish(self, request: JobRequested, *, reply_to: str | None = None) -> None:
        """Put a job on its queue."""
        message = Message(
            type=request.message_type,
            body=request.encode(),
            reply_to=reply_to,
            correlation_id=str(request.job_id),
            expires_at=request.deadline_at,
        )
        await self.broker.publish(job_topic(request.operation, request.lane), message)

    async def ask(self, request: JobRequested) -> tuple[list[JobDelta], JobFinished]:
        """Wait for the answer as ingress does."""
        with self.requester.expect(str(request.job_id)) as replies:
            await self.publish(request, reply_to=self.requester.address)
            return await read(replies)

    async def cancel(self, job_id: UUID) -> None:
        cancel = JobCancelRequested(job_id=job_id, tenant_id=TENANT)
        await self.broker.broadcast(Message(type=cancel.message_type, body=cancel.encode()))

    async def provider_calls(self, key: str) -> dict[str, int]:
        """Ask the simulator what became of the calls of a key."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.provider_url}/simulator/calls", params={"key": key}) as response,
        ):
            counts: dict[str, int] = await response.json()
            return counts

    async def until_called(self, key: str, **expected: int) -> None:
        """Wait until the simulator's counts of a key are as expected."""
        async for attempt in patiently():
            with attempt:
                counts = await self.provider_calls(key)
                assert {name: counts[name] for name in expected} == expected


async def read(replies: Replies) -> tuple[list[JobDelta], JobFinished]:
    """Read the deltas of an answer and its end."""
    deltas = []
    while True:
        message = await replies.next(PATIENCE_S)
        if message.type == JobFinished.message_type:
            return deltas, JobFinished.decode(message.body)
        deltas.append(JobDelta.decode(message.body))


@asynccontextmanager
async def _started(settings: ProviderWorkerSettings) -> AsyncIterator[Health]:
    async with running(settings, registry=CollectorRegistry()) as health:
        async for attempt in patiently():
            with attempt:
                assert (await health.report())[0]
        yield health


@asynccontextmanager
async def surroundings(
    database_url: str, valkey_url: str, provider_url: str, folder: Path
) -> AsyncIterator[Surroundings]:
    """Connect as ingress and results do."""
    settings = {
        "secret_key": "x" * 32,
        "broker": {"url": database_url},
        "postgres": {"url": database_url},
        "redis": {"url": valkey_url},
        "objects": {"url": folder.as_uri(), "inline_bytes": 20_000},
        "shutdown_grace_s": 5,
        "providers": {"simulator": {"base_url": f"{provider_url}/v1"}},
    }
    broker = make_broker(BrokerSettings(url=database_url), name="test")
    await broker.connect()
    records = Records()
    try:
        async with asyncio.TaskGroup() as group, Requester(broker) as requester:
            subscription = await broker.subscribe(
                RESULTS_QUEUE,
                prefetch=100,
                on_delivery=lambda delivery: group.create_task(records.add(delivery)),
            )
            yield Surroundings(broker, requester, records, settings, provider_url)
            await subscription.stop()
    finally:
        await broker.close()
