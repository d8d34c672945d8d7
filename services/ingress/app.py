"""The composition root: the one place that names concrete classes."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import chain

from redis.asyncio import Redis
from starlette.types import ASGIApp

from services.ingress.adapters.api_keys import ApiKeys
from services.ingress.adapters.background import Background
from services.ingress.adapters.background_jobs import BackgroundJobs
from services.ingress.adapters.backlog import Backlog
from services.ingress.adapters.batch_rows import BatchRows
from services.ingress.adapters.broker_link import BrokerLink
from services.ingress.adapters.bulk_changes import BulkChanges
from services.ingress.adapters.bulk_commit import BulkCommit
from services.ingress.adapters.cancellation import Cancellation
from services.ingress.adapters.change_notices import ChangeNotices
from services.ingress.adapters.dead_letter_desk import DeadLetterDesk
from services.ingress.adapters.file_rows import FileRows
from services.ingress.adapters.first_publication import FirstPublication
from services.ingress.adapters.fleet_inquiry import FleetInquiry
from services.ingress.adapters.group_commit import GroupCommit
from services.ingress.adapters.idempotency_keys import IdempotencyKeys
from services.ingress.adapters.job_candidates import JobCandidates
from services.ingress.adapters.job_changes import JobChanges
from services.ingress.adapters.job_rows import JobRows
from services.ingress.adapters.job_watch import JobWatch
from services.ingress.adapters.provider_calls import ProviderCalls
from services.ingress.adapters.queue_drains import QueueDrains
from services.ingress.adapters.queue_looks import QueueLooks
from services.ingress.adapters.queue_purge import QueuePurge
from services.ingress.adapters.recorded_chunks import RecordedChunks
from services.ingress.adapters.second_look import SecondLook
from services.ingress.adapters.uploads import Uploads
from services.ingress.adapters.webhook_delivery_rows import WebhookDeliveryRows
from services.ingress.adapters.webhook_endpoint_rows import WebhookEndpointRows
from services.ingress.adapters.webhook_job_secret import WebhookJobSecret
from services.ingress.api.application import make_application
from services.ingress.api.batches import BatchEndpoints
from services.ingress.api.dead_letters import DeadLetterEndpoints
from services.ingress.api.docs import DocsPage
from services.ingress.api.events import EventEndpoint
from services.ingress.api.files import FileEndpoints
from services.ingress.api.health import HealthEndpoints
from services.ingress.api.inference import InferenceEndpoints
from services.ingress.api.job_answers import JobAnswers
from services.ingress.api.job_batch import JobBatchEndpoint
from services.ingress.api.job_changes import JobChangeEndpoints
from services.ingress.api.jobs import JobEndpoints
from services.ingress.api.keyed_calls import KeyedCalls
from services.ingress.api.models import ModelEndpoints
from services.ingress.api.queues import QueueEndpoints
from services.ingress.api.route import RawRoute
from services.ingress.api.routes.batches import batch_routes
from services.ingress.api.routes.files import file_routes
from services.ingress.api.routes.inference import inference_routes
from services.ingress.api.routes.job_changes import job_change_routes
from services.ingress.api.routes.jobs import job_routes
from services.ingress.api.routes.models import model_routes
from services.ingress.api.routes.plain import plain_routes
from services.ingress.api.routes.queues import queue_routes
from services.ingress.api.routes.webhook_deliveries import webhook_delivery_routes
from services.ingress.api.routes.webhooks import webhook_endpoint_routes, webhook_secret_routes
from services.ingress.api.routes.workers import worker_routes
from services.ingress.api.server import serving
from services.ingress.api.webhook_deliveries import WebhookDeliveryEndpoints
from services.ingress.api.webhook_endpoints import WebhookEndpointEndpoints
from services.ingress.api.webhook_job_secret import WebhookJobSecretEndpoints
from services.ingress.api.workers import WorkerEndpoints
from services.ingress.domain.admission import Admission, LaneLimit
from services.ingress.domain.job_times import JobLimits
from services.ingress.domain.places import Places
from services.ingress.settings import BacklogSettings, IngressSection, IngressSettings
from shared.config.catalog import Catalog
from shared.config.settings import PostgresSettings
from shared.contracts.jobs import Lane
from shared.messaging.factory import make_broker
from shared.runtime.health import Health
from shared.security.egress import EgressPolicy
from shared.security.webhook_secrets import SecretBox
from shared.storage.bodies import BodyStore
from shared.storage.files import FileStore
from shared.storage.postgres import Database
from shared.storage.redis import open_redis, ping_redis


@asynccontextmanager
async def running(settings: IngressSettings) -> AsyncIterator[Health]:
    """Serve the API while the block runs; then stop accepting and let requests under way finish."""
    name = f"ingress-{os.getpid()}"
    watch = JobWatch()
    backlog = _backlog(settings.ingress.backlog)
    async with (
        Database(settings.postgres, role="penstock_app", name=name) as database,
        Database(_few(settings.postgres), role="penstock_system", name=f"{name}-operators") as every_tenant,
        open_redis(settings.redis, name=name) as redis,
        BrokerLink(make_broker(settings.broker, name=name), watch, [backlog.heard]) as link,
        asyncio.TaskGroup() as tasks,
    ):
        health = Health(
            required={"postgres": database.ping, "broker": link.ping},
            optional={"redis": partial(ping_redis, redis)},
        )
        limits = settings.ingress
        publication = FirstPublication(link, database, max_waiting=limits.publications_waiting)
        commits = GroupCommit(
            database,
            publication.enqueue,
            max_batch=limits.submissions_batch,
            max_waiting=limits.submissions_waiting,
        )
        drains = QueueDrains(every_tenant, link)
        looks = SecondLook(database, watch)
        steady = [
            tasks.create_task(work)
            for work in (link.connect(), commits.run(), publication.run(), drains.run(), looks.run())
        ]
        async with serving(
            _application(
                settings=settings,
                health=health,
                database=database,
                every_tenant=every_tenant,
                redis=redis,
                link=link,
                drains=drains,
                watch=watch,
                backlog=backlog,
                commits=commits,
                publication=publication,
                tasks=tasks,
            ),
            host=settings.host,
            port=settings.port,
            grace_s=settings.shutdown_grace_s,
            on_stopping=watch.stop,
            on_last_moments=link.stop_waiting,
        ):
            yield health
        for task in steady:
            task.cancel()


def _application(
    *,
    settings: IngressSettings,
    health: Health,
    database: Database,
    every_tenant: Database,
    redis: Redis,
    link: BrokerLink,
    drains: QueueDrains,
    watch: JobWatch,
    backlog: Backlog,
    commits: GroupCommit,
    publication: FirstPublication,
    tasks: asyncio.TaskGroup,
) -> ASGIApp:
    section = settings.ingress
    limits = _limits(section)
    catalog = Catalog.from_settings(settings)
    bodies = BodyStore(settings.objects)
    rows = JobRows(database)
    cancellation = Cancellation(link, redis)
    background = Background(tasks)
    calls = ProviderCalls(link, bodies, cancellation, background, drains)
    keys = IdempotencyKeys(database)
    bulk = BulkCommit(database, keys, publication.enqueue, max_published=section.publications_waiting // 2)
    background_jobs = BackgroundJobs(
        bodies=bodies, commits=commits, keys=keys, rows=rows, watch=watch, drains=drains
    )
    answers = JobAnswers(
        jobs=background_jobs,
        rows=rows,
        backlog=backlog,
        bodies=bodies,
        tasks=tasks,
        base_url=section.public_url or "",
        max_wait_s=section.max_wait_s,
    )
    keyed = KeyedCalls(jobs=background_jobs, answers=answers, chunks=RecordedChunks(rows, watch), tasks=tasks)
    inference = InferenceEndpoints(
        catalog=catalog,
        calls=calls,
        jobs=answers,
        keyed=keyed,
        backlog=backlog,
        settings=section,
        limits=limits,
        tasks=tasks,
    )
    jobs = JobEndpoints(
        answers=answers,
        rows=rows,
        catalog=catalog,
        settings=section,
        limits=limits,
    )
    changes = JobChangeEndpoints(
        answers=answers,
        rows=rows,
        changes=JobChanges(database, bodies),
        bulk=BulkChanges(JobCandidates(database), rows),
        notices=ChangeNotices(watch, link, cancellation, background),
        settings=section,
        limits=limits,
    )
    batches = JobBatchEndpoint(
        catalog=catalog,
        jobs=background_jobs,
        backlog=backlog,
        commits=bulk,
        keys=keys,
        settings=section,
        limits=limits,
    )
    events = EventEndpoint(rows=rows, watch=watch, tasks=tasks, keep_alive_s=section.keep_alive_s)
    routes = chain(
        inference_routes(inference),
        model_routes(ModelEndpoints(catalog)),
        job_routes(jobs, events, batches),
        _operators_routes(
            section=section,
            inquiry=FleetInquiry(link, background, name=f"ingress-{socket.gethostname()}-{os.getpid()}"),
            link=link,
            drains=drains,
            every_tenant=every_tenant,
            redis=redis,
        ),
        file_routes(_files(settings, database)),
        batch_routes(BatchEndpoints(rows=BatchRows(database), settings=section)),
        job_change_routes(changes),
        _webhook_routes(settings, database, link, background),
        plain_routes(HealthEndpoints(health), DocsPage()),
    )
    return make_application(routes, _keys(settings, database, tasks).authenticate)


def _operators_routes(
    *,
    section: IngressSection,
    inquiry: FleetInquiry,
    link: BrokerLink,
    drains: QueueDrains,
    every_tenant: Database,
    redis: Redis,
) -> Iterator[RawRoute]:
    timeout_s = section.body_timeout_s
    queues = QueueEndpoints(
        link=link,
        looks=QueueLooks(link, inquiry, drains, every_tenant),
        drains=drains,
        purge=QueuePurge(link, every_tenant, redis),
        body_timeout_s=timeout_s,
    )
    letters = DeadLetterEndpoints(DeadLetterDesk(link, every_tenant), body_timeout_s=timeout_s)
    return chain(queue_routes(queues, letters), worker_routes(WorkerEndpoints(inquiry)))


def _few(settings: PostgresSettings) -> PostgresSettings:
    """What operators ask for needs few connections, and none while they ask nothing."""
    return settings.model_copy(update={"pool_size": 2})


def _files(settings: IngressSettings, database: Database) -> FileEndpoints:
    rows, store, section = FileRows(database), FileStore(settings.objects), settings.ingress
    uploads = Uploads(
        store,
        rows,
        max_bytes=section.max_file_bytes,
        most=section.uploads,
        patience_s=section.body_timeout_s,
    )
    return FileEndpoints(rows=rows, uploads=uploads, store=store, settings=section)


def _webhook_routes(
    settings: IngressSettings, database: Database, link: BrokerLink, background: Background
) -> Iterator[RawRoute]:
    section, box = settings.ingress, SecretBox(settings.secret_key)
    endpoints = WebhookEndpointRows(database, box, max_endpoints=section.max_webhook_endpoints)
    deliveries = WebhookDeliveryEndpoints(
        rows=WebhookDeliveryRows(database), link=link, background=background, settings=section
    )
    return chain(
        webhook_endpoint_routes(
            WebhookEndpointEndpoints(rows=endpoints, policy=EgressPolicy(settings.egress), settings=section)
        ),
        webhook_secret_routes(WebhookJobSecretEndpoints(WebhookJobSecret(database, box), section)),
        webhook_delivery_routes(deliveries),
    )


def _backlog(settings: BacklogSettings) -> Backlog:
    limits = {lane: LaneLimit(settings.of(lane).max_wait_s, settings.of(lane).max_jobs) for lane in Lane}
    return Backlog(Admission(limits, resume_share=settings.resume_share), Places())


def _limits(section: IngressSection) -> JobLimits:
    return JobLimits(
        deadline_s=section.job_deadline_s,
        max_deadline_s=section.max_job_deadline_s,
        max_run_in_s=section.max_job_run_in_s,
        attempts=section.job_attempts,
        max_attempts=section.max_job_attempts,
    )


def _keys(settings: IngressSettings, database: Database, tasks: asyncio.TaskGroup) -> ApiKeys:
    return ApiKeys(
        database,
        settings.secret_key,
        tasks,
        fresh_s=settings.ingress.key_cache_s,
        stale_s=settings.ingress.key_stale_s,
        size=settings.ingress.key_cache_size,
        clock=time.monotonic,
    )
