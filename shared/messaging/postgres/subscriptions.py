"""Every subscription of a broker instance, and what wakes each."""

import itertools
import os

from shared.messaging.broker import OnDelivery
from shared.messaging.postgres.background import Background
from shared.messaging.postgres.connections import Connections
from shared.messaging.postgres.leases import Leases
from shared.messaging.postgres.listener import Listener, LockKey
from shared.messaging.postgres.names import lock_class, queue_channel, table_name
from shared.messaging.postgres.subscription import Reader


class Subscriptions:
    """Starts and stops readers; tells them of notifications and reconnects."""

    def __init__(
        self,
        connections: Connections,
        leases: Leases,
        listener: Listener,
        background: Background,
        lease_s: float,
    ) -> None:
        self._connections = connections
        self._leases = leases
        self._listener = listener
        self._background = background
        self._lease_s = lease_s
        self._running: dict[str, list[PostgresSubscription]] = {}
        listener.watch(on_up=self._notice_all, on_down=_nothing)

    async def start(self, queue: str, *, prefetch: int, on_delivery: OnDelivery) -> "PostgresSubscription":
        """Read a queue from now on."""
        reader = Reader(
            self._connections,
            self._leases,
            queue=queue,
            prefetch=prefetch,
            lease_s=self._lease_s,
            on_delivery=on_delivery,
        )
        subscription = PostgresSubscription(self, queue, reader)
        running = self._running.setdefault(queue, [])
        running.append(subscription)
        await self._listener.hold(subscription.lock)
        await self._listener.listen(queue_channel(table_name(queue)), lambda _: _notice(running))
        self._background.spawn(reader.run())
        return subscription

    async def end(self, subscription: "PostgresSubscription") -> None:
        """Stop a reader; nothing is left leased to nobody."""
        running = self._running.get(subscription.queue, [])
        if subscription not in running:
            return
        running.remove(subscription)
        await subscription.reader.stop()
        await self._listener.release(subscription.lock)
        if not running:
            await self._listener.unlisten(queue_channel(table_name(subscription.queue)))

    async def rest(self, subscription: "PostgresSubscription") -> None:
        """Let a reader rest, and count it no more."""
        subscription.reader.rest()
        await self._listener.release(subscription.lock)

    async def go_on(self, subscription: "PostgresSubscription") -> None:
        """Let a reader go on, and count it."""
        await self._listener.hold(subscription.lock)
        subscription.reader.go_on()

    async def stop_all(self) -> None:
        """Stop every reader."""
        for subscription in list(itertools.chain(*self._running.values())):
            await self.end(subscription)

    def _notice_all(self) -> None:
        for running in self._running.values():
            _notice(running)


class PostgresSubscription:
    """Implements the port's ``Subscription``."""

    def __init__(self, subscriptions: Subscriptions, queue: str, reader: Reader) -> None:
        self._subscriptions = subscriptions
        self.queue = queue
        self.reader = reader
        self.lock: LockKey = (lock_class(queue), int.from_bytes(os.urandom(4), signed=True))
        """Counts this subscription in the queue's statistics while the connection lives."""

    async def stop(self) -> None:
        """Take no further deliveries."""
        await self._subscriptions.end(self)

    async def rest(self) -> None:
        """Take no deliveries until :meth:`go_on`."""
        await self._subscriptions.rest(self)

    async def go_on(self) -> None:
        """Take deliveries again."""
        await self._subscriptions.go_on(self)


def _notice(running: list[PostgresSubscription]) -> None:
    for subscription in running:
        subscription.reader.notice()


def _nothing() -> None:
    """Readers find out by themselves that the server is away."""
