"""Composition root of the scheduler."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import REGISTRY, CollectorRegistry

from services.scheduler.adapters.days import Partitions
from services.scheduler.adapters.deadlines import DeadlinesTable
from services.scheduler.adapters.leadership import SessionLock
from services.scheduler.adapters.outbox import OutboxTable
from services.scheduler.adapters.queue_metrics import QueueMetrics
from services.scheduler.adapters.silent_jobs import SilentJobsTable
from services.scheduler.adapters.unpublished import UnpublishedTable
from services.scheduler.domain.backlog import BacklogWatch
from services.scheduler.domain.deadlines import DeadlineReaper
from services.scheduler.domain.retention import Retention
from services.scheduler.domain.rounds import Rounds
from services.scheduler.domain.silence import SilenceWatch
from services.scheduler.domain.sweep import OutboxSweep
from services.scheduler.domain.watch import Watch
from services.scheduler.domain.worker_loads import WorkerLoads
from services.scheduler.settings import DueSettings, SchedulerSettings
from shared.messaging.broker import Broker
from shared.messaging.factory import make_broker
from shared.runtime.health import Health
from shared.storage.bodies import BodyStore
from shared.storage.postgres import Database


@asynccontextmanager
async def running(
    settings: SchedulerSettings, *, registry: CollectorRegistry = REGISTRY
) -> AsyncIterator[Health]:
    """Do what is due, or stand by, until the block ends; then finish the rounds under way."""
    name = f"scheduler-{os.getpid()}"
    broker = make_broker(settings.broker, name=name)
    async with Database(settings.postgres, role="penstock_system", name=name) as database:
        await broker.connect()
        try:
            async with (
                backlog_watch(database, broker, registry) as backlog,
                asyncio.TaskGroup() as group,
            ):
                watch = Watch(
                    leadership=SessionLock(settings.postgres, name=name),
                    tasks=(
                        *tasks_of(settings.scheduler, database, broker, BodyStore(settings.objects)),
                        Rounds(
                            name="backlog", task=backlog, interval_s=settings.scheduler.backlog_interval_s
                        ),
                    ),
                    interval_s=settings.scheduler.leadership_interval_s,
                )
                work = group.create_task(watch.run())
                try:
                    yield Health(required={"postgres": database.ping, "broker": broker.ping})
                finally:
                    watch.stop()
                    await asyncio.wait([work], timeout=settings.shutdown_grace_s)
                    work.cancel()
        finally:
            await broker.close()


@asynccontextmanager
async def backlog_watch(
    database: Database, broker: Broker, registry: CollectorRegistry
) -> AsyncIterator[BacklogWatch]:
    """Assemble what estimates the backlog; it hears the workers from now on, leading or not."""
    loads, board = WorkerLoads(), QueueMetrics()
    await broker.listen(loads)
    registry.register(board)
    try:
        yield BacklogWatch(broker=broker, loads=loads, unpublished=UnpublishedTable(database), board=board)
    finally:
        registry.unregister(board)


def tasks_of(
    settings: DueSettings, database: Database, broker: Broker, bodies: BodyStore
) -> tuple[Rounds, ...]:
    """Assemble what the leader does."""
    batch = settings.outbox_batch
    sweep = OutboxSweep(
        outbox=OutboxTable(database), broker=broker, batch=batch, retry_s=settings.outbox_retry_s
    )
    silence = SilenceWatch(
        jobs=SilentJobsTable(database),
        broker=broker,
        after_s=settings.silent_after_s,
        grace_s=settings.silent_grace_s,
        batch=batch,
    )
    reaper = DeadlineReaper(
        deadlines=DeadlinesTable(database), broker=broker, grace_s=settings.deadline_grace_s, batch=batch
    )
    retention = Retention(
        days=Partitions(database),
        bodies=bodies,
        keep_days=settings.retention_days,
        days_ahead=settings.days_ahead,
    )
    return (
        Rounds(name="retention", task=retention, interval_s=settings.retention_interval_s, retry_s=30),
        Rounds(name="outbox", task=sweep, interval_s=settings.outbox_interval_s),
        Rounds(name="deadlines", task=reaper, interval_s=settings.deadline_interval_s),
        Rounds(name="silence", task=silence, interval_s=settings.silent_interval_s),
    )
