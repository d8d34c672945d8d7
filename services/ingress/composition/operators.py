"""What operators see and steer."""

import os
import socket
from collections.abc import Iterator
from itertools import chain

from services.ingress.adapters.dead_letter_desk import DeadLetterDesk
from services.ingress.adapters.fleet_inquiry import FleetInquiry
from services.ingress.adapters.queue_looks import QueueLooks
from services.ingress.adapters.queue_purge import QueuePurge
from services.ingress.api.dead_letters import DeadLetterEndpoints
from services.ingress.api.queues import QueueEndpoints
from services.ingress.api.route import RawRoute
from services.ingress.api.routes.queues import queue_routes
from services.ingress.api.routes.workers import worker_routes
from services.ingress.api.workers import WorkerEndpoints
from services.ingress.composition.core import Core


def operator_routes(core: Core) -> Iterator[RawRoute]:
    """Build the management of queues and workers."""
    timeout_s = core.settings.ingress.body_timeout_s
    inquiry = FleetInquiry(core.link, core.background, name=f"ingress-{socket.gethostname()}-{os.getpid()}")
    queues = QueueEndpoints(
        link=core.link,
        looks=QueueLooks(core.link, inquiry, core.drains, core.every_tenant),
        drains=core.drains,
        purge=QueuePurge(core.link, core.every_tenant, core.redis),
        body_timeout_s=timeout_s,
    )
    letters = DeadLetterEndpoints(DeadLetterDesk(core.link, core.every_tenant), body_timeout_s=timeout_s)
    return chain(queue_routes(queues, letters), worker_routes(WorkerEndpoints(inquiry)))
