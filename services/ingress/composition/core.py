"""What the groups of routes share."""

import asyncio
from dataclasses import dataclass

from redis.asyncio import Redis

from services.ingress.adapters.background import Background
from services.ingress.adapters.backlog import Backlog
from services.ingress.adapters.broker_link import BrokerLink
from services.ingress.adapters.first_publication import FirstPublication
from services.ingress.adapters.group_commit import GroupCommit
from services.ingress.adapters.job_watch import JobWatch
from services.ingress.adapters.queue_drains import QueueDrains
from services.ingress.settings import IngressSettings
from shared.security.egress import EgressPolicy
from shared.storage.bodies import BodyStore
from shared.storage.postgres import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """Connections, and what runs for as long as the process does."""

    settings: IngressSettings
    database: Database
    """Acts for one tenant at a time."""
    every_tenant: Database
    """For operators."""
    redis: Redis
    link: BrokerLink
    bodies: BodyStore
    watch: JobWatch
    backlog: Backlog
    drains: QueueDrains
    egress: EgressPolicy
    """Which URLs may be called."""
    commits: GroupCommit
    publication: FirstPublication
    background: Background
    tasks: asyncio.TaskGroup
