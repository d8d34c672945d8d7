"""Runs a handler over batches of deliveries, for work that is cheaper together, such as commits."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import structlog

from shared.errors import PenstockError
from shared.messaging.broker import Broker, Delivery, Settlement
from shared.messaging.consumption import Consumption
from shared.messaging.settlement import reason_for, settle

_log = structlog.get_logger(__name__)

_FIRST_BACKOFF_S = 0.1
_LONGEST_BACKOFF_S = 5.0
_CANCEL_TIMEOUT_S = 5.0

BatchHandler = Callable[[Sequence[Delivery]], Awaitable[None]]


class BatchConsumer(Consumption):
    """Consumer of one queue that hands over batches, one at a time; an async context manager.

    When the handler returns, the whole batch is acknowledged. When it raises a retryable error, the same
    batch is tried again, with backoff and for as long as it takes; the broker stops at ``prefetch``
    meanwhile. After any other error the deliveries are tried one by one, and the one that fails is
    dead-lettered with its reason.

    Args:
        broker: Where the queue is; connected.
        queue: Its name.
        handler: Called with 1 to ``max_batch`` deliveries in the order of arrival; must be safe to repeat.
        max_batch: Most deliveries in a batch.
        max_wait_s: Shortest time between two batches, unless they are full: how long a delivery waits for
            others while there is much to do. One that comes after a pause goes at once.
        prefetch: Most deliveries held; at least ``max_batch``, twice that keeps the handler busy.
        max_deliveries: Most attempts of a message; one over it is dead-lettered unseen.
    """

    def __init__(
        self,
        broker: Broker,
        queue: str,
        handler: BatchHandler,
        *,
        max_batch: int,
        max_wait_s: float,
        prefetch: int,
        max_deliveries: int,
    ) -> None:
        super().__init__(broker)
        self._queue = queue
        self._handler = handler
        self._max_batch = max_batch
        self._max_wait_s = max_wait_s
        self._prefetch = prefetch
        self._max_deliveries = max_deliveries
        self._waiting: deque[Delivery] = deque()
        self._batch_due_at = 0.0
        self._begun_at = 0.0
        self._some = asyncio.Event()
        self._full = asyncio.Event()
        self._in_hand: list[Delivery] = []
        self._loop_task: asyncio.Task[None] | None = None

    async def _start(self) -> None:
        self._loop_task = self._tasks.create_task(self._run())
        await self._subscribe(self._queue, prefetch=self._prefetch, on_delivery=self._arrived)

    def held(self) -> Sequence[Delivery]:
        """Return every delivery that is not settled yet: buffered and in the handler."""
        return [*self._waiting, *self._in_hand]

    async def drain(self, grace_s: float) -> None:
        """Take nothing new, hand back what has not begun, let the batch in hand finish.

        Args:
            grace_s: Seconds after which the handler is cancelled and its batch requeued.
        """
        waiting, self._waiting = self._waiting, deque()
        self._some.set()
        self._full.set()
        await self._take_no_more(waiting)
        if self._loop_task is None or self._loop_task.done():
            return
        _, late = await asyncio.wait([self._loop_task], timeout=grace_s)
        if late:
            self._loop_task.cancel()
            await asyncio.wait(late, timeout=_CANCEL_TIMEOUT_S)

    def _arrived(self, delivery: Delivery) -> None:
        if self._draining:
            self._release(delivery)
            return
        if not self._waiting:
            self._batch_due_at = self._begun_at + self._max_wait_s
            self._some.set()
        self._waiting.append(delivery)
        if len(self._waiting) >= self._max_batch:
            self._full.set()

    async def _run(self) -> None:
        while not self._draining:
            await self._fill()
            self._in_hand = self._take()
            self._begun_at = asyncio.get_running_loop().time()
            if not self._in_hand:
                continue
            try:
                await self._handle(self._in_hand)
            except asyncio.CancelledError:
                await _settle_all(self._in_hand, Settlement.REQUEUE)
                raise
            finally:
                self._in_hand = []

    async def _fill(self) -> None:
        """Wait until a batch is full, or the one before was begun long enough ago."""
        await self._some.wait()
        if self._full.is_set():
            return
        try:
            async with asyncio.timeout_at(self._batch_due_at):
                await self._full.wait()
        except TimeoutError:
            return

    def _take(self) -> list[Delivery]:
        waiting = self._waiting
        batch = [waiting.popleft() for _ in range(min(self._max_batch, len(waiting)))]
        if not waiting and not self._draining:
            self._some.clear()
        if len(waiting) < self._max_batch and not self._draining:
            self._full.clear()
        self._batch_due_at = 0.0  # what is left over has waited for this batch already
        return batch

    async def _handle(self, batch: list[Delivery]) -> None:
        worn_out = [delivery for delivery in batch if delivery.attempt > self._max_deliveries]
        if worn_out:
            batch = [delivery for delivery in batch if delivery.attempt <= self._max_deliveries]
            reason = f"given up after {self._max_deliveries} deliveries"
            await _settle_all(worn_out, Settlement.DEAD_LETTER, reason=reason)
            self._in_hand = list(batch)
        error = await self._attempt(batch) if batch else None
        if error is None:
            await _settle_all(batch, Settlement.ACK)
            return
        for delivery in batch:
            error = await self._attempt([delivery])
            if error is None:
                await settle(delivery, Settlement.ACK)
            else:
                await settle(delivery, Settlement.DEAD_LETTER, reason=reason_for(error))
            self._in_hand = self._in_hand[1:]

    async def _attempt(self, batch: list[Delivery]) -> Exception | None:
        """Call the handler until it returns or fails for good; return that failure."""
        backoff_s = _FIRST_BACKOFF_S
        while True:
            try:
                await self._handler(batch)
            except PenstockError as error:
                _log.warning("batch failed", queue=self._queue, size=len(batch), reason=reason_for(error))
                if not error.retryable:
                    return error
            except Exception as error:  # noqa: BLE001 - whatever a handler raises decides the settlement
                _log.exception("batch failed", queue=self._queue, size=len(batch))
                return error
            else:
                return None
            await asyncio.sleep(backoff_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
            backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)


async def _settle_all(deliveries: Sequence[Delivery], settlement: Settlement, *, reason: str = "") -> None:
    """Settle concurrently, so that brokers which write settlements in batches can."""
    await asyncio.gather(*(settle(delivery, settlement, reason=reason) for delivery in deliveries))
