"""The composition root; ``composition/`` has a part of it for each group of routes."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import chain

from starlette.types import ASGIApp

from services.ingress.adapters.api_keys import ApiKeys
from services.ingress.adapters.background import Background
from services.ingress.adapters.backlog import Backlog
from services.ingress.adapters.broker_link import BrokerLink
from services.ingress.adapters.first_publication import FirstPublication
from services.ingress.adapters.group_commit import GroupCommit
from services.ingress.adapters.job_watch import JobWatch
from services.ingress.adapters.queue_drains import QueueDrains
from services.ingress.adapters.second_look import SecondLook
from services.ingress.api.application import make_application
from services.ingress.api.docs import DocsPage
from services.ingress.api.health import HealthEndpoints
from services.ingress.api.routes.plain import plain_routes
from services.ingress.api.server import serving
from services.ingress.composition.core import Core
from services.ingress.composition.files import file_and_batch_routes
from services.ingress.composition.jobs import work_routes
from services.ingress.composition.operators import operator_routes
from services.ingress.composition.webhooks import webhook_routes
from services.ingress.domain.admission import Admission, LaneLimit
from services.ingress.domain.places import Places
from services.ingress.settings import BacklogSettings, IngressSettings
from shared.config.settings import PostgresSettings
from shared.contracts.jobs import Lane
from shared.messaging.factory import make_broker
from shared.runtime.health import Health
from shared.security.egress import EgressPolicy
from shared.storage.bodies import BodyStore
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
        core = Core(
            settings=settings,
            database=database,
            every_tenant=every_tenant,
            redis=redis,
            link=link,
            bodies=BodyStore(settings.objects),
            watch=watch,
            backlog=backlog,
            drains=QueueDrains(every_tenant, link),
            commits=commits,
            publication=publication,
            egress=EgressPolicy(settings.egress),
            background=Background(tasks),
            tasks=tasks,
        )
        looks = SecondLook(database, watch)
        steady = [
            tasks.create_task(work)
            for work in (link.connect(), commits.run(), publication.run(), core.drains.run(), looks.run())
        ]
        async with serving(
            _application(core, health),
            host=settings.host,
            port=settings.port,
            grace_s=settings.shutdown_grace_s,
            on_stopping=watch.stop,
            on_last_moments=link.stop_waiting,
        ):
            yield health
        for task in steady:
            task.cancel()


def _application(core: Core, health: Health) -> ASGIApp:
    routes = chain(
        work_routes(core),
        file_and_batch_routes(core),
        webhook_routes(core),
        operator_routes(core),
        plain_routes(HealthEndpoints(health), DocsPage()),
    )
    return make_application(routes, _keys(core).authenticate)


def _few(settings: PostgresSettings) -> PostgresSettings:
    """What operators ask for needs few connections, and none while they ask nothing."""
    return settings.model_copy(update={"pool_size": 2})


def _backlog(settings: BacklogSettings) -> Backlog:
    limits = {lane: LaneLimit(settings.of(lane).max_wait_s, settings.of(lane).max_jobs) for lane in Lane}
    return Backlog(Admission(limits, resume_share=settings.resume_share), Places())


def _keys(core: Core) -> ApiKeys:
    section = core.settings.ingress
    return ApiKeys(
        core.database,
        core.settings.secret_key,
        core.tasks,
        fresh_s=section.key_cache_s,
        stale_s=section.key_stale_s,
        size=section.key_cache_size,
        clock=time.monotonic,
    )
