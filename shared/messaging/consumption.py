"""The start and the end that every consumer has: its tasks, its subscriptions, the way out."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from shared.messaging.broker import Broker, Delivery, OnDelivery, Settlement, Subscription
from shared.messaging.settlement import settle


class Consumption(ABC):
    """An async context manager that takes deliveries from entering to leaving, or to its drain.

    Args:
        broker: Where the queues are; connected.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._subscriptions: list[Subscription] = []
        self._tasks = asyncio.TaskGroup()
        self._draining = False

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        try:
            await self._start()
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self.drain(0.0)
        finally:
            if isinstance(error, asyncio.CancelledError):
                await self._tasks.__aexit__(kind, error, trace)
            else:  # the body's own failure goes on as it is, not inside a group
                await self._tasks.__aexit__(None, None, None)

    @abstractmethod
    async def drain(self, grace_s: float) -> None:
        """Take nothing new, hand back what has not begun, let the rest finish for ``grace_s`` seconds."""

    @abstractmethod
    async def _start(self) -> None:
        """Subscribe."""

    async def _subscribe(self, queue: str, *, prefetch: int, on_delivery: OnDelivery) -> None:
        self._subscriptions.append(
            await self._broker.subscribe(queue, prefetch=prefetch, on_delivery=on_delivery)
        )

    async def _take_no_more(self, waiting: Iterable[Delivery]) -> None:
        """Stop the subscriptions, and hand back what waits here."""
        self._draining = True
        subscriptions, self._subscriptions = self._subscriptions, []
        for delivery in waiting:
            self._release(delivery)
        await asyncio.gather(*(subscription.stop() for subscription in subscriptions))

    def _release(self, delivery: Delivery) -> None:
        """Hand back what has not begun."""
        self._tasks.create_task(settle(delivery, Settlement.RELEASE))
