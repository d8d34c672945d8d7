"""Composition root of the provider worker: the one place that names concrete classes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import aiohttp
from prometheus_client import REGISTRY, CollectorRegistry
from redis.asyncio import Redis

from services.provider_worker.adapters.announcer import Announcer
from services.provider_worker.adapters.claims import Claims
from services.provider_worker.adapters.litellm_module import LiteLLM
from services.provider_worker.adapters.metrics import WorkerMetrics
from services.provider_worker.adapters.openai_batches import OpenAIBatches
from services.provider_worker.adapters.openai_provider import make_session
from services.provider_worker.adapters.price_map import PriceMap, bundled_price_file
from services.provider_worker.adapters.providers import ConfiguredProviders
from services.provider_worker.adapters.records import Records
from services.provider_worker.consumers.conclusion import Conclusion
from services.provider_worker.consumers.execution import Execution
from services.provider_worker.consumers.given_up import GiveUp
from services.provider_worker.consumers.job_cancelled import CancelJob
from services.provider_worker.consumers.job_requested import HandleJob
from services.provider_worker.consumers.provider_batch import HandleProviderBatch
from services.provider_worker.consumers.provider_batch_fetch import FetchAnswers
from services.provider_worker.consumers.running import RunningJobs
from services.provider_worker.consumers.worker import Worker, worker_name
from services.provider_worker.domain.calling import Caller
from services.provider_worker.domain.pricing import PriceList
from services.provider_worker.settings import ProviderWorkerSettings
from shared.config.catalog import Catalog
from shared.messaging.broker import Broker
from shared.messaging.factory import make_broker
from shared.runtime.health import Health
from shared.storage.bodies import BodyStore
from shared.storage.files import FileStore
from shared.storage.redis import open_redis, ping_redis


@asynccontextmanager
async def running(
    settings: ProviderWorkerSettings, *, registry: CollectorRegistry = REGISTRY
) -> AsyncIterator[Health]:
    """Take jobs while the block runs; then finish or hand back what is under way."""
    name = worker_name()
    prices = await asyncio.to_thread(lambda: PriceMap(bundled_price_file()))
    bodies = BodyStore(settings.objects)
    broker = make_broker(settings.broker, name=name)
    async with make_session() as session, open_redis(settings.redis, name=name) as client:
        worker = _assembled(
            settings=settings,
            name=name,
            broker=broker,
            session=session,
            client=client,
            bodies=bodies,
            prices=prices,
            registry=registry,
        )
        async with asyncio.TaskGroup() as group:
            stop = asyncio.Event()
            group.create_task(worker.run(stop))
            try:
                yield Health(
                    required={"broker": broker.ping},
                    optional={"redis": partial(ping_redis, client), "objects": bodies.ping},
                )
            finally:
                stop.set()


def _assembled(
    *,
    settings: ProviderWorkerSettings,
    name: str,
    broker: Broker,
    session: aiohttp.ClientSession,
    client: Redis,
    bodies: BodyStore,
    prices: PriceList,
    registry: CollectorRegistry,
) -> Worker:
    records = Records(broker, interval_s=settings.worker.record_interval_s)
    announcer = Announcer(broker, records)
    providers = ConfiguredProviders(session, LiteLLM(), max_answer_bytes=settings.worker.max_answer_bytes)
    meter = WorkerMetrics(registry)
    caller = Caller(providers, prices, meter)
    conclusion = Conclusion(announcer, bodies)
    running_jobs = RunningJobs()
    catalog = Catalog.from_settings(settings)
    provider_batches = None
    if catalog.has_provider_batches:
        provider_batches = HandleProviderBatch(
            catalog=catalog,
            api=partial(OpenAIBatches, session=session),
            inputs=FileStore(settings.objects),
            fetch=FetchAnswers(announcer, bodies, prices, meter, longest=settings.worker.max_answer_bytes),
            announcer=announcer,
        )
    handler = HandleJob(
        catalog=catalog,
        claims=Claims(client),
        bodies=bodies,
        running=running_jobs,
        execution=Execution(caller, announcer, settings.worker, worker=name),
        conclusion=conclusion,
    )
    return Worker(
        broker,
        settings.worker,
        name=name,
        handler=handler,
        records=records,
        on_given_up=GiveUp(conclusion),
        on_broadcast=CancelJob(running_jobs),
        on_provider_batch=provider_batches,
        shutdown_grace_s=settings.shutdown_grace_s,
    )
