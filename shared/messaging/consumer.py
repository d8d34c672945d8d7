"""Runs a handler over the deliveries of several queues, and settles each by how the handler ended."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import structlog

from shared.errors import PenstockError
from shared.messaging.batch_consumer import BatchConsumer
from shared.messaging.broker import Broker, Delivery, Settlement
from shared.messaging.consumption import Consumption
from shared.messaging.settlement import reason_for, settle, settlement_for
from shared.messaging.slots import QueueInHand, QueueShare, Slots
from shared.messaging.weighted import WeightedBuffers

__all__ = ["BatchConsumer", "Consumer", "QueueInHand", "QueueShare"]

_log = structlog.get_logger(__name__)

_LONGEST_PAUSE_S = 5.0
_CANCEL_TIMEOUT_S = 5.0


Handler = Callable[[Delivery], Awaitable[None]]
OnGivenUp = Callable[[Delivery, str], Awaitable[None]]


class Consumer(Consumption):
    """Weighted consumer with a fixed number of slots; an async context manager.

    A free slot takes from the queues that have work in proportion to their weights, and from each by
    deadline (``ByDeadline``); a group of queues that fills its own slots is passed over. A delivery whose
    ``attempt`` is over its limit is dead-lettered without calling the handler. When a handler ends with
    a retryable error, its slot is held for that error's ``retry_after_s`` (at most 5 s) before the
    delivery goes back, so that a dependency that is down does not use up the attempts in no time.

    Args:
        broker: Where the queues are; connected.
        shares: The queues.
        handler: Called for each delivery, each in a task and a context of its own.
        concurrency: Most handlers at a time.
        max_deliveries: Most attempts of a message, for all queues or by the queue's name.
        on_given_up: Called with the delivery and the reason before one over its limit is dead-lettered.
    """

    def __init__(
        self,
        broker: Broker,
        shares: Sequence[QueueShare],
        handler: Handler,
        *,
        concurrency: int,
        max_deliveries: int | Mapping[str, int],
        on_given_up: OnGivenUp | None = None,
    ) -> None:
        super().__init__(broker)
        self._shares = tuple(shares)
        self._handler = handler
        self._slots = Slots(shares, concurrency)
        self._limits = (
            {share.queue: max_deliveries for share in shares}
            if isinstance(max_deliveries, int)
            else {share.queue: max_deliveries[share.queue] for share in shares}
        )
        self._on_given_up = on_given_up
        self._waiting = WeightedBuffers({share.queue: share.weight for share in shares})
        self._running: dict[asyncio.Task[None], Delivery] = {}

    async def _start(self) -> None:
        for share in self._shares:
            await self._subscribe(
                share.queue, prefetch=share.prefetch, on_delivery=partial(self._arrived, share.queue)
            )

    def held(self) -> Sequence[Delivery]:
        """Return every delivery that is not settled yet: buffered and running."""
        return [*self._waiting, *self._running.values()]

    async def rest(self) -> None:
        """Take nothing new and hand back what has not begun; what runs goes on. Undone by :meth:`go_on`."""
        self._draining = True
        for delivery in self._waiting.clear():
            self._release(delivery)
        await asyncio.gather(*(subscription.rest() for subscription in self._subscriptions))

    async def go_on(self) -> None:
        """Take deliveries again after :meth:`rest`."""
        self._draining = False
        await asyncio.gather(*(subscription.go_on() for subscription in self._subscriptions))

    def in_hand(self) -> Mapping[str, QueueInHand]:
        """Say what there is of each queue."""
        return {
            share.queue: self._slots.report(share.queue, waiting=self._waiting.of(share.queue))
            for share in self._shares
        }

    async def drain(self, grace_s: float) -> None:
        """Take nothing new, hand back what has not begun, let the rest finish.

        Args:
            grace_s: Seconds after which handlers still running are cancelled and their deliveries
                requeued.
        """
        await self._take_no_more(self._waiting.clear())
        if self._running:
            await asyncio.wait(list(self._running), timeout=grace_s)
        late = list(self._running)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=_CANCEL_TIMEOUT_S)

    def _arrived(self, queue: str, delivery: Delivery) -> None:
        if self._draining:
            self._release(delivery)
            return
        self._waiting.add(queue, delivery)
        if self._slots.free:
            self._start_next()

    def _start_next(self) -> None:
        delivery = self._waiting.take(passing_over=self._slots.full_queues)
        if delivery is None:
            return
        began = self._slots.begin(delivery.queue)
        task = self._tasks.create_task(self._run(delivery))
        self._running[task] = delivery
        task.add_done_callback(partial(self._ended, began))

    def _ended(self, began: float, task: asyncio.Task[None]) -> None:
        self._slots.end(self._running.pop(task).queue, began)
        if not self._draining:
            self._start_next()

    async def _run(self, delivery: Delivery) -> None:
        limit = self._limits[delivery.queue]
        reason = ""
        try:
            if delivery.lost:  # while it was buffered; only its place is given up
                settlement = Settlement.RELEASE
            elif delivery.attempt > limit:
                settlement = Settlement.DEAD_LETTER
                reason = f"given up after {limit} deliveries"
                if self._on_given_up is not None:
                    await self._on_given_up(delivery, reason)
            else:
                await self._handler(delivery)
                settlement = Settlement.ACK
        except asyncio.CancelledError:
            settlement = Settlement.REQUEUE
        except Exception as error:  # noqa: BLE001 - whatever a handler raises decides the settlement
            settlement = settlement_for(error)
            reason = reason or reason_for(error)
            _report(delivery, settlement, error)
            if settlement is Settlement.REQUEUE:
                await _pause(error)
        await settle(delivery, settlement, reason=reason)


def _report(delivery: Delivery, settlement: Settlement, error: Exception) -> None:
    on_purpose = isinstance(error, PenstockError)
    _log.log(
        30 if on_purpose else 40,
        "handler failed",
        queue=delivery.queue,
        attempt=delivery.attempt,
        settlement=str(settlement),
        reason=reason_for(error),
        exc_info=None if on_purpose else error,
    )


async def _pause(error: Exception) -> None:
    """Hold a slot before a requeue; a cancellation cuts it short and changes nothing else."""
    retry_after_s = error.retry_after_s if isinstance(error, PenstockError) else None
    try:
        await asyncio.sleep(min(1.0 if retry_after_s is None else retry_after_s, _LONGEST_PAUSE_S))
    except asyncio.CancelledError:
        return
