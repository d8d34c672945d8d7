"""Composition root of the results service."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.results.adapters.job_store import JobStore
from services.results.consumers.outcomes import RecordOutcomes
from services.results.settings import ResultsSettings
from shared.messaging.consumer import BatchConsumer
from shared.messaging.factory import make_broker
from shared.messaging.topology import FLEET, RESULTS_QUEUE
from shared.runtime.health import Health
from shared.storage.postgres import Database


@asynccontextmanager
async def running(settings: ResultsSettings) -> AsyncIterator[Health]:
    """Record outcomes until the block ends; then finish the batch in hand and give the rest back."""
    name = f"results-{os.getpid()}"
    broker = make_broker(settings.broker, name=name)
    async with Database(settings.postgres, role="penstock_system", name=name) as database:
        await broker.connect()
        try:
            consumer = BatchConsumer(
                broker,
                RESULTS_QUEUE,
                RecordOutcomes(JobStore(database), broker),
                max_batch=settings.results.max_batch,
                max_wait_s=settings.results.max_wait_s,
                prefetch=2 * settings.results.max_batch,
                max_deliveries=FLEET.by_name[RESULTS_QUEUE].max_deliveries,
            )
            async with consumer:
                yield Health(required={"postgres": database.ping, "broker": broker.ping})
                await consumer.drain(settings.shutdown_grace_s)
        finally:
            await broker.close()
