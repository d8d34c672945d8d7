"""Takes what is due as long as there is room, and lets it be delivered."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import structlog

from services.webhook_delivery import metrics
from services.webhook_delivery.domain.delivery import DueDelivery
from services.webhook_delivery.domain.limits import TargetLimits
from shared.errors import DatabaseUnavailableError

_log = structlog.get_logger(__name__)

GATHER_S = 0.005
"""What calls for a look within so long of each other gets one look."""
PAUSE_AFTER_OUTAGE_S = 1.0
CANCEL_LIMIT_S = 3.0


@dataclass(frozen=True, slots=True)
class Claimed:
    """One look at the queue."""

    deliveries: Sequence[DueDelivery]
    next_due_s: float | None
    """Seconds until something is due that is not due yet; None when nothing is, or if it is not known."""


class DeliveryQueue(Protocol):
    """The rows of what is still to be sent."""

    async def claim(self, limit: int, *, room: Mapping[UUID, int], default_room: int) -> Claimed:
        """Take due deliveries, fairly among their targets.

        Args:
            limit: Most of them.
            room: Most of each of these targets.
            default_room: Most of any other.
        """

    async def release(self, deliveries: Sequence[DueDelivery]) -> None:
        """Give back what was claimed, so that somebody else takes it at once."""


class Dispatcher:
    """The main loop of a sender.

    Args:
        queue: Where deliveries come from.
        deliver: Makes one and records what became of it; does not raise for a receiver's sake.
        limits: Room for each receiver.
        concurrency: Most deliveries at a time.
        poll_s: Longest time between two looks.
    """

    def __init__(
        self,
        queue: DeliveryQueue,
        deliver: Callable[[DueDelivery], Coroutine[Any, Any, None]],
        limits: TargetLimits,
        *,
        concurrency: int,
        poll_s: float,
    ) -> None:
        self._queue = queue
        self._deliver = deliver
        self._limits = limits
        self._concurrency = concurrency
        self._poll_s = poll_s
        self._running: dict[asyncio.Task[None], DueDelivery] = {}
        self._called = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Look at once: there may be something to do."""
        self._called.set()

    async def run(self) -> None:
        """Deliver until :meth:`stop`."""
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                self._called.clear()
                wait_s = await self._round(group)
                if wait_s > 0:
                    await self._wait(wait_s)

    async def stop(self, grace_s: float) -> None:
        """Take nothing more; what is not done within ``grace_s`` is given back, and may be made twice."""
        self._stopping = True
        self._called.set()
        if self._running:
            await asyncio.wait(list(self._running), timeout=grace_s)
        late = dict(self._running)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CANCEL_LIMIT_S)
            await self._give_back(list(late.values()))

    async def _give_back(self, deliveries: Sequence[DueDelivery]) -> None:
        try:
            await self._queue.release(deliveries)
        except DatabaseUnavailableError as error:
            _log.warning("deliveries not given back", deliveries=len(deliveries), code=error.code)

    async def _round(self, group: asyncio.TaskGroup) -> float:
        """Start what there is room for; returns how long the next look may wait."""
        free = self._concurrency - len(self._running)
        if not free:
            return self._poll_s
        try:
            claimed = await self._queue.claim(
                free, room=self._limits.room(), default_room=self._limits.default
            )
        except DatabaseUnavailableError as error:
            _log.warning("cannot look for deliveries", code=error.code)
            return PAUSE_AFTER_OUTAGE_S
        if self._stopping:
            await self._give_back(claimed.deliveries)
            return 0
        for delivery in claimed.deliveries:
            self._start(group, delivery)
        if claimed.deliveries:
            return GATHER_S
        return self._poll_s if claimed.next_due_s is None else min(self._poll_s, claimed.next_due_s)

    def _start(self, group: asyncio.TaskGroup, delivery: DueDelivery) -> None:
        self._limits.began(delivery.target)
        task = group.create_task(self._deliver(delivery))
        self._running[task] = delivery
        metrics.IN_FLIGHT.set(len(self._running))
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._limits.ended(self._running.pop(task).target)
        metrics.IN_FLIGHT.set(len(self._running))
        self._called.set()

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._called.wait()
        except TimeoutError:
            return
        if not self._stopping:
            await asyncio.sleep(GATHER_S)
