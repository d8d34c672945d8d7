"""The life of a worker: connect, take jobs by lane, drain."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from services.provider_worker.consumers.activity import Activity
from services.provider_worker.consumers.control import WorkerControl
from services.provider_worker.consumers.heartbeat import Heartbeat
from services.provider_worker.consumers.load_report import LoadReport
from services.provider_worker.domain.queues import select_queues, slots_of_others
from services.provider_worker.settings import WorkerSettings
from shared.contracts.jobs import Lane
from shared.messaging.broker import Broker, Delivery, OnMessage
from shared.messaging.consumer import Consumer, QueueShare
from shared.messaging.topology import FLEET, PROVIDER_BATCHES_QUEUE

PROVIDER_BATCHES_AT_ONCE = 2
"""Questions about batches at providers: each may hold a whole input in memory."""


def worker_name() -> str:
    """Name this process for operators."""
    return f"provider_worker-{socket.gethostname()}-{os.getpid()}"


class Worker:
    """Consumes the job queues until it is told to stop.

    Args:
        broker: Not connected yet.
        settings: Queues, lanes and concurrency.
        name: This process's name.
        handler: Gets each delivery.
        records: What the handlers publish with; open while jobs are taken.
        on_given_up: Gets the deliveries that came too often.
        on_broadcast: Gets every broadcast.
        on_provider_batch: Gets the questions about batches at providers; None where no model has any.
        shutdown_grace_s: How long jobs under way may go on when it stops.
    """

    def __init__(
        self,
        broker: Broker,
        settings: WorkerSettings,
        *,
        name: str,
        handler: Callable[[Delivery], Awaitable[None]],
        records: AbstractAsyncContextManager[object],
        on_given_up: Callable[[Delivery, str], Awaitable[None]],
        on_broadcast: OnMessage,
        on_provider_batch: Callable[[Delivery], Awaitable[None]] | None = None,
        shutdown_grace_s: float,
    ) -> None:
        self._broker = broker
        self._settings = settings
        self._name = name
        self._handler = handler
        self._records = records
        self._on_given_up = on_given_up
        self._on_broadcast = on_broadcast
        self._on_provider_batch = on_provider_batch
        self._shutdown_grace_s = shutdown_grace_s

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; a broker that is not up yet is waited for."""
        try:
            if await self._connected(stop):
                await self._broker.listen(self._on_broadcast)
                await self._consume(stop)
        finally:
            await self._broker.close()

    async def _connected(self, stop: asyncio.Event) -> bool:
        async with asyncio.TaskGroup() as group:
            connecting = group.create_task(self._broker.connect())
            stopping = group.create_task(stop.wait())
            await asyncio.wait((connecting, stopping), return_when=asyncio.FIRST_COMPLETED)
            connecting.cancel()
            stopping.cancel()
        return not stop.is_set()

    async def _consume(self, stop: asyncio.Event) -> None:
        shares, activity = self._shares(), Activity(self._handler)
        consumer = Consumer(
            self._broker,
            shares,
            activity,
            concurrency=self._settings.concurrency,
            max_deliveries={name: queue.max_deliveries for name, queue in FLEET.by_name.items()},
            on_given_up=self._on_given_up,
        )
        heartbeat = Heartbeat(
            self._broker, consumer.held, worker=self._name, interval_s=self._settings.held_interval_s
        )
        load = LoadReport(
            self._broker, consumer.in_hand, worker=self._name, interval_s=self._settings.load_interval_s
        )
        async with self._records, consumer, self._provider_batches(), asyncio.TaskGroup() as group:
            control = WorkerControl(
                self._broker,
                consumer,
                activity,
                queues=[share.queue for share in shares],
                tasks=group,
                name=self._name,
                concurrency=self._settings.concurrency,
            )
            await self._broker.listen(control.heard)
            steady = [group.create_task(work.run()) for work in (heartbeat, load)]
            await stop.wait()
            await control.stop()
            await consumer.drain(self._shutdown_grace_s)
            for task in steady:
                task.cancel()

    @asynccontextmanager
    async def _provider_batches(self) -> AsyncIterator[None]:
        """Take questions about batches at providers; what is under way at the end is asked again."""
        if self._on_provider_batch is None:
            yield
            return
        consumer = Consumer(
            self._broker,
            [QueueShare(PROVIDER_BATCHES_QUEUE, weight=1, prefetch=PROVIDER_BATCHES_AT_ONCE)],
            self._on_provider_batch,
            concurrency=PROVIDER_BATCHES_AT_ONCE,
            max_deliveries=FLEET.by_name[PROVIDER_BATCHES_QUEUE].max_deliveries,
        )
        async with consumer:
            yield
            await consumer.drain(0)

    def _shares(self) -> list[QueueShare]:
        settings = self._settings
        queues = select_queues(settings.queues)
        others = slots_of_others(
            settings.concurrency, {lane for _, lane in queues}, reserve=settings.interactive_reserve
        )
        return [
            QueueShare(
                queue,
                weight=settings.lanes.of(lane).weight,
                prefetch=settings.lanes.of(lane).prefetch,
                group="interactive" if lane is Lane.INTERACTIVE else "others",
                slots=None if lane is Lane.INTERACTIVE else others,
            )
            for queue, lane in queues
        ]
