"""The composition root: the one place that names concrete classes."""

import asyncio
import os
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
from services.ingress.adapters.broker_link import BrokerLink
from services.ingress.adapters.cancellation import Cancellation
from services.ingress.adapters.first_publication import FirstPublication
from services.ingress.adapters.group_commit import GroupCommit
from services.ingress.adapters.job_rows import JobRows
from services.ingress.adapters.job_watch import JobWatch
from services.ingress.adapters.provider_calls import ProviderCalls
from services.ingress.adapters.webhook_delivery_rows import WebhookDeliveryRows
from services.ingress.adapters.webhook_endpoint_rows import WebhookEndpointRows
from services.ingress.adapters.webhook_job_secret import WebhookJobSecret
from services.ingress.api.application import make_application
from services.ingress.api.docs import DocsPage
from services.ingress.api.events import EventEndpoint
from services.ingress.api.health import HealthEndpoints
from services.ingress.api.inference import InferenceEndpoints
from services.ingress.api.job_answers import JobAnswers
from services.ingress.api.jobs import JobEndpoints
from services.ingress.api.models import ModelEndpoints
from services.ingress.api.route import RawRoute
from services.ingress.api.routes.inference import inference_routes
from services.ingress.api.routes.jobs import job_routes
from services.ingress.api.routes.models import model_routes
from services.ingress.api.routes.plain import plain_routes
from services.ingress.api.routes.webhook_deliveries import webhook_delivery_routes
from services.ingress.api.routes.webhooks import webhook_endpoint_routes, webhook_secret_routes
from services.ingress.api.server import serving
from services.ingress.api.webhook_deliveries import WebhookDeliveryEndpoints
from services.ingress.api.webhook_endpoints import WebhookEndpointEndpoints
from services.ingress.api.webhook_job_secret import WebhookJobSecretEndpoints
from services.ingress.domain.submission import JobLimits
from services.ingress.settings import IngressSection, IngressSettings
from shared.config.catalog import Catalog
from shared.messaging.factory import make_broker
from shared.runtime.health import Health
from shared.security.egress import EgressPolicy
from shared.security.webhook_secrets import SecretBox
from shared.storage.bodies import BodyStore
from shared.storage.postgres import Database
from shared.storage.redis import open_redis, ping_redis


@asynccontextmanager
async def running(settings: IngressSettings) -> AsyncIterator[Health]:
    """Serve the API while the block runs; then stop accepting and let requests under way finish."""
    name = f"ingress-{os.getpid()}"
    watch = JobWatch()
    async with (
        Database(settings.postgres, role="penstock_app", name=name) as database,
        open_redis(settings.redis, name=name) as redis,
        BrokerLink(make_broker(settings.broker, name=name), watch) as link,
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
        steady = [tasks.create_task(work) for work in (link.connect(), commits.run(), publication.run())]
        async with serving(
            _application(
                settings=settings,
                health=health,
                database=database,
                redis=redis,
                link=link,
                watch=watch,
                commits=commits,
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
    redis: Redis,
    link: BrokerLink,
    watch: JobWatch,
    commits: GroupCommit,
    tasks: asyncio.TaskGroup,
) -> ASGIApp:
    section = settings.ingress
    limits = _limits(section)
    catalog = Catalog.from_settings(settings)
    bodies = BodyStore(settings.objects)
    rows = JobRows(database)
    cancellation = Cancellation(link, redis)
    background = Background(tasks)
    calls = ProviderCalls(link, bodies, cancellation, background)
    answers = JobAnswers(
        jobs=BackgroundJobs(bodies, commits, rows, watch),
        rows=rows,
        bodies=bodies,
        tasks=tasks,
        base_url=section.public_url or "",
        max_wait_s=section.max_wait_s,
    )
    inference = InferenceEndpoints(
        catalog=catalog, calls=calls, jobs=answers, settings=section, limits=limits, tasks=tasks
    )
    jobs = JobEndpoints(
        answers=answers,
        rows=rows,
        catalog=catalog,
        cancellation=cancellation,
        background=background,
        link=link,
        watch=watch,
        settings=section,
        limits=limits,
    )
    events = EventEndpoint(rows=rows, watch=watch, tasks=tasks, keep_alive_s=section.keep_alive_s)
    routes = chain(
        inference_routes(inference),
        model_routes(ModelEndpoints(catalog)),
        job_routes(jobs, events),
        _webhook_routes(settings, database, link, background),
        plain_routes(HealthEndpoints(health), DocsPage()),
    )
    return make_application(routes, _keys(settings, database, tasks).authenticate)


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


def _limits(section: IngressSection) -> JobLimits:
    return JobLimits(
        deadline_s=section.job_deadline_s,
        max_deadline_s=section.max_job_deadline_s,
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
