"""``/api/v1/admin/queues``: look, pause, drain, resume, purge."""

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response

from services.ingress.adapters.broker_link import BrokerLink
from services.ingress.adapters.patience import broker_patience
from services.ingress.adapters.queue_drains import QueueDrains
from services.ingress.adapters.queue_looks import QueueLooks
from services.ingress.adapters.queue_purge import QueuePurge
from services.ingress.api.answers import managed_answer
from services.ingress.api.audit import audited
from services.ingress.api.context import principal_of
from services.ingress.api.schemas.queues import PurgeOrder
from services.ingress.api.shaped import read_shape
from services.ingress.domain.fleet_queue import FLEET_QUEUES, FleetQueue, fleet_queue
from shared.errors import UnprocessableRequestError


class QueueEndpoints:
    """What the routes of queues do.

    Args:
        link: The broker.
        looks: What is known of a queue.
        drains: Which queues take no new work.
        purge: Empties a queue.
        body_timeout_s: How long a caller may take to send its body.
    """

    def __init__(
        self,
        *,
        link: BrokerLink,
        looks: QueueLooks,
        drains: QueueDrains,
        purge: QueuePurge,
        body_timeout_s: float,
    ) -> None:
        self._link = link
        self._looks = looks
        self._drains = drains
        self._purge = purge
        self._body_timeout_s = body_timeout_s

    async def list(self, _: Request) -> Response:
        """Show every queue."""
        views = await self._looks.at(FLEET_QUEUES)
        return managed_answer([view.render() for view in views], f"{len(views)} queues.")

    async def get(self, request: Request) -> Response:
        """Show one queue."""
        return await self._shown(queue_of(request), "As it is now.")

    async def pause(self, request: Request) -> Response:
        """Deliver nothing to any consumer until :meth:`resume`."""
        queue = queue_of(request)
        with audited(request, "queue.pause", queue.name):
            async with broker_patience():
                await self._link.broker.pause(queue.name)
        return await self._shown(queue, "Paused: nothing is delivered; what is in flight goes on.")

    async def drain(self, request: Request) -> Response:
        """Take no new work until :meth:`resume`, and let the workers empty it."""
        queue = queue_of(request)
        with audited(request, "queue.drain", queue.name):
            queue.require_jobs("drained")
            await self._drains.begin(queue.name, api_key_id=principal_of(request).api_key_id)
        return await self._shown(queue, "Draining: submissions are refused; what was accepted is worked off.")

    async def resume(self, request: Request) -> Response:
        """Undo a pause and a drain."""
        queue = queue_of(request)
        with audited(request, "queue.resume", queue.name):
            async with broker_patience():
                await self._link.broker.resume(queue.name)
            await self._drains.end(queue.name)
        return await self._shown(queue, "Running.")

    async def purge(self, request: Request) -> Response:
        """Cancel what waits."""
        queue = queue_of(request)
        with audited(request, "queue.purge", queue.name) as facts:
            queue.require_jobs("purged")
            order = await read_shape(request, PurgeOrder, timeout_s=self._body_timeout_s)
            if order.confirm != queue.name:
                raise UnprocessableRequestError(
                    f"'confirm' must be the name of the queue, {queue.name!r}.", param="confirm"
                )
            purged = await self._purge.run(queue)
            facts.update(asdict(purged))
        return managed_answer(
            {
                "purged": purged.messages,
                "cancelled": purged.cancelled,
                "calls": purged.calls,
                "unreadable": purged.unreadable,
                "more": purged.more,
            },
            f"{purged.messages} messages taken away, {purged.cancelled} jobs cancelled.",
        )

    async def _shown(self, queue: FleetQueue, message: str) -> Response:
        (view,) = await self._looks.at([queue])
        return managed_answer(view.render(), message)


def queue_of(request: Request) -> FleetQueue:
    """Return the queue that the path names."""
    return fleet_queue(request.path_params["queue"])
