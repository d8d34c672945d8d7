"""Composition root of the scheduler."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from prometheus_client import REGISTRY, CollectorRegistry
from redis.asyncio import Redis

from services.scheduler.adapters.batch_bodies import StoredBodies
from services.scheduler.adapters.batch_cancellation import JobsOfCancelledBatches
from services.scheduler.adapters.batch_files import StoredInputs, StoredOutputs
from services.scheduler.adapters.batch_table import BatchTable
from services.scheduler.adapters.days import Partitions
from services.scheduler.adapters.deadlines import DeadlinesTable
from services.scheduler.adapters.erasable_jobs import ErasableJobsTable
from services.scheduler.adapters.file_table import FileTable
from services.scheduler.adapters.idempotency_keys import IdempotencyKeysTable
from services.scheduler.adapters.leadership import SessionLock
from services.scheduler.adapters.outbox import OutboxTable
from services.scheduler.adapters.provider_batch_desk import WorkersDesk
from services.scheduler.adapters.provider_batch_table import ProviderBatchTable, SlackInputs
from services.scheduler.adapters.queue_metrics import QueueMetrics
from services.scheduler.adapters.silent_jobs import SilentJobsTable
from services.scheduler.adapters.unpublished import UnpublishedTable
from services.scheduler.domain.backlog import BacklogWatch
from services.scheduler.domain.batch import Batch
from services.scheduler.domain.batch_gathering import BatchGathering
from services.scheduler.domain.batch_intake import BatchIntake
from services.scheduler.domain.batch_window import BatchPace, BatchWindow
from services.scheduler.domain.batch_work import BatchWork
from services.scheduler.domain.deadlines import DeadlineReaper
from services.scheduler.domain.erasure import Erasure
from services.scheduler.domain.file_retention import FileRetention
from services.scheduler.domain.key_retention import KeyRetention
from services.scheduler.domain.provider_batch_work import ProviderBatchWork
from services.scheduler.domain.retention import Retention
from services.scheduler.domain.rounds import Rounds
from services.scheduler.domain.silence import SilenceWatch
from services.scheduler.domain.slack import Slack, SlackRule, slack_of
from services.scheduler.domain.sweep import OutboxSweep
from services.scheduler.domain.watch import Watch
from services.scheduler.domain.worker_loads import WorkerLoads
from services.scheduler.settings import SchedulerSettings
from shared.config.catalog import Catalog
from shared.messaging.broker import Broker
from shared.messaging.factory import make_broker
from shared.messaging.requests import Requester
from shared.runtime.health import Health
from shared.storage.bodies import BodyStore
from shared.storage.files import FileStore
from shared.storage.postgres import Database
from shared.storage.redis import open_redis


@asynccontextmanager
async def running(
    settings: SchedulerSettings, *, registry: CollectorRegistry = REGISTRY
) -> AsyncIterator[Health]:
    """Do what is due, or stand by, until the block ends; then finish the rounds under way."""
    name = f"scheduler-{os.getpid()}"
    broker = make_broker(settings.broker, name=name)
    async with (
        Database(settings.postgres, role="penstock_system", name=name) as database,
        open_redis(settings.redis, name=name) as redis,
    ):
        await broker.connect()
        try:
            async with (
                backlog_watch(database, broker, registry) as backlog,
                provider_batches(settings, database, broker) as more,
                asyncio.TaskGroup() as group,
            ):
                watch = Watch(
                    leadership=SessionLock(settings.postgres, name=name),
                    tasks=(
                        *tasks_of(settings, database, broker, redis),
                        *more,
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
    settings: SchedulerSettings, database: Database, broker: Broker, redis: Redis
) -> tuple[Rounds, ...]:
    """Assemble what the leader does."""
    due = settings.scheduler
    batch = due.outbox_batch
    bodies, files = BodyStore(settings.objects), FileStore(settings.objects)
    sweep = OutboxSweep(outbox=OutboxTable(database), broker=broker, batch=batch, retry_s=due.outbox_retry_s)
    silence = SilenceWatch(
        jobs=SilentJobsTable(database, max_publications=due.max_publications),
        broker=broker,
        after_s=due.silent_after_s,
        grace_s=due.silent_grace_s,
        batch=batch,
    )
    reaper = DeadlineReaper(
        deadlines=DeadlinesTable(database), broker=broker, grace_s=due.deadline_grace_s, batch=batch
    )
    retention = Retention(
        days=Partitions(database), bodies=bodies, keep_days=due.retention_days, days_ahead=due.days_ahead
    )
    keys = KeyRetention(keys=IdempotencyKeysTable(database), keep_hours=due.idempotency_hours)
    removal = FileRetention(
        files=FileTable(database),
        contents=files,
        silent_s=due.upload_silent_s,
        keep_days=due.retention_days,
    )
    erasure = Erasure(jobs=ErasableJobsTable(database, bodies), batch=due.erasure_batch)
    batches = _batch_work(settings, database, bodies, files, JobsOfCancelledBatches(database, redis, broker))
    return (
        Rounds(name="idempotency keys", task=keys, interval_s=due.idempotency_interval_s, retry_s=30),
        Rounds(name="retention", task=retention, interval_s=due.retention_interval_s, retry_s=30),
        Rounds(name="outbox", task=sweep, interval_s=due.outbox_interval_s),
        Rounds(name="deadlines", task=reaper, interval_s=due.deadline_interval_s),
        Rounds(name="erasure", task=erasure, interval_s=due.erasure_interval_s),
        Rounds(name="silence", task=silence, interval_s=due.silent_interval_s),
        Rounds(name="batches", task=batches, interval_s=settings.batches.interval_s),
        Rounds(name="files", task=removal, interval_s=due.files_interval_s),
    )


@asynccontextmanager
async def provider_batches(
    settings: SchedulerSettings, database: Database, broker: Broker
) -> AsyncIterator[Sequence[Rounds]]:
    """Assemble what looks after batches at providers; nothing unless the operator chose it for a model."""
    catalog = Catalog.from_settings(settings)
    if not catalog.has_provider_batches:
        yield ()
        return

    def poll_s(model: str) -> float:
        found = catalog.provider_batch(model)
        return settings.batches.provider_ask_s if found is None else found[0].poll_s

    async with Requester(broker) as requester:
        work = ProviderBatchWork(
            batches=ProviderBatchTable(database, FileStore(settings.objects)),
            desk=WorkersDesk(broker, requester),
            ask_s=settings.batches.provider_ask_s,
            poll_s=poll_s,
        )
        yield (Rounds(name="provider batches", task=work, interval_s=settings.batches.interval_s),)


def _slack_rule(catalog: Catalog) -> SlackRule:
    def rule(batch: Batch, now: datetime) -> Slack | None:
        found = None if batch.model is None else catalog.provider_batch(batch.model)
        return None if found is None else slack_of(batch, now, found[0])

    return rule


def _batch_work(
    settings: SchedulerSettings,
    database: Database,
    body_store: BodyStore,
    files: FileStore,
    cancellation: JobsOfCancelledBatches,
) -> BatchWork:
    section = settings.batches
    batches = BatchTable(database, attempts=section.attempts, output_s=section.output_s)
    inputs, bodies = StoredInputs(database, files), StoredBodies(body_store)
    intake = BatchIntake(
        batches=batches,
        inputs=inputs,
        bodies=bodies,
        slack_inputs=SlackInputs(files),
        chunk=section.chunk,
        chunk_bytes=section.chunk_bytes,
        max_line_bytes=section.max_line_bytes,
    )
    gathering = BatchGathering(
        batches=batches,
        outputs=StoredOutputs(database, files),
        bodies=bodies,
        intake=intake,
        page=section.chunk,
        page_bytes=section.chunk_bytes,
    )
    window = BatchWindow(jobs=section.open_jobs, all_jobs=section.all_open_jobs, bytes=section.open_bytes)
    catalog = Catalog.from_settings(settings)
    return BatchWork(
        batches=batches,
        inputs=inputs,
        intake=intake,
        gathering=gathering,
        cancellation=cancellation,
        window=window,
        pace=BatchPace(ahead_s=section.ahead_s, least=section.waiting_jobs),
        least=section.chunk // 2,
        known_model=catalog.resolve,
        max_requests=section.max_requests,
        slack=_slack_rule(catalog),
    )
