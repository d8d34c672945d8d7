"""Implements the port ``shared.messaging.broker.Broker`` on PostgreSQL."""

import asyncio
import itertools
import random
from collections.abc import Callable, Mapping, Sequence

import asyncpg
import structlog

from shared.config.settings import BrokerSettings
from shared.errors import BrokerUnavailableError, NotFoundError
from shared.messaging.broker import (
    DeadLetter,
    Depth,
    Message,
    OnDelivery,
    OnMessage,
    OnPurged,
    QueueStats,
)
from shared.messaging.dead_letters import EVERY_DEAD_LETTER, MOST_AT_ONCE, DeadLetterChoice
from shared.messaging.postgres.background import Background
from shared.messaging.postgres.connections import (
    CONNECT_TIMEOUT_S,
    OUTAGE,
    Connections,
    open_connection,
)
from shared.messaging.postgres.depths import read_depths
from shared.messaging.postgres.install import install
from shared.messaging.postgres.leases import Leases
from shared.messaging.postgres.listener import Listener
from shared.messaging.postgres.names import BROADCAST_CHANNEL
from shared.messaging.postgres.operations import Operations
from shared.messaging.postgres.publisher import Publisher
from shared.messaging.postgres.purge import purge
from shared.messaging.postgres.subscriptions import PostgresSubscription, Subscriptions
from shared.messaging.postgres.transient import PostgresInbox, Sender, assembled
from shared.messaging.topology import Topology

HOUSEKEEPING_S = 60.0
_PING_TIMEOUT_S = 1.0
_INSTALL_TIMEOUT_S = 60.0
_CLOSE_TIMEOUT_S = 5.0


class PostgresBroker:
    """A process's part in the broker; see the port for what each method promises.

    Args:
        settings: URL, lease, pool size and publish timeout.
        name: Shown to the server as the application's name.
        topology: The queues to create and to route by.
    """

    def __init__(self, settings: BrokerSettings, *, name: str, topology: Topology) -> None:
        self._url = settings.url.get_secret_value()
        self._name = name
        self._topology = topology
        self._background = Background()
        self._connections = Connections(self._url, size=settings.pool_size, name=name)
        self._listener = Listener(self._url, name=name)
        self._publisher = Publisher(self._connections, topology, timeout_s=settings.publish_timeout_s)
        self._sender = Sender(self._connections, timeout_s=settings.publish_timeout_s)
        self._leases = Leases(self._connections, lease_s=settings.lease_s)
        self._subscriptions = Subscriptions(
            self._connections, self._leases, self._listener, self._background, settings.lease_s
        )
        self._operations = Operations(self._connections)
        self._inboxes: dict[PostgresInbox, Callable[[], None]] = {}
        self._hearers: list[OnMessage] = []
        self._log = structlog.get_logger(broker=name)

    async def connect(self) -> None:
        """Wait for the server, create what is missing, start the background work."""
        await self._install()
        await self._background.start()
        self._listener.watch(on_up=self._lose_replies, on_down=self._lose_replies)
        for work in (
            self._listener.run(),
            self._publisher.batches.run(),
            self._sender.batches.run(),
            self._leases.acks.run(),
            self._leases.returns.run(),
            self._leases.renew_for_ever(),
            self._keep_house(),
        ):
            self._background.spawn(work)
        await self._listener.connected()

    async def close(self) -> None:
        """Stop reading, send what waits, give back what is held, disconnect."""
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self._subscriptions.stop_all()
                for batches in (
                    self._publisher.batches,
                    self._sender.batches,
                    self._leases.acks,
                    self._leases.returns,
                ):
                    await batches.drained()
                await self._leases.give_back_all()
        except (TimeoutError, BrokerUnavailableError) as error:
            self._log.warning("closed_without_the_server", error=type(error).__name__)
        finally:
            await self._background.stop()
            await self._connections.close()

    async def ping(self) -> None:
        """Ask the server something."""
        if self._background.failed:
            raise BrokerUnavailableError("The broker's background work has failed.")
        await self._connections.fetch("SELECT 1", timeout_s=_PING_TIMEOUT_S)

    async def publish(self, topic: str, message: Message) -> None:
        """Insert and commit, durably."""
        await self._publisher.publish(topic, message)

    async def subscribe(self, queue: str, *, prefetch: int, on_delivery: OnDelivery) -> PostgresSubscription:
        """Start to take messages from a queue."""
        self._require(queue)
        return await self._subscriptions.start(queue, prefetch=prefetch, on_delivery=on_delivery)

    async def open_inbox(self, on_reply: OnMessage, on_lost: Callable[[], None]) -> PostgresInbox:
        """Listen on a channel of its own."""
        inbox = PostgresInbox(self._listener, on_close=self._forget)
        self._inboxes[inbox] = on_lost
        await self._listener.listen(inbox.address, assembled(on_reply))
        return inbox

    async def reply(self, address: str, message: Message) -> None:
        """Notify an inbox."""
        await self._sender.reply(address, message)

    async def broadcast(self, message: Message) -> None:
        """Notify everybody."""
        await self._sender.broadcast(message)

    async def listen(self, on_message: OnMessage) -> None:
        """Receive broadcasts."""
        self._hearers.append(on_message)
        await self._listener.listen(BROADCAST_CHANNEL, assembled(self._hear))

    async def stats(self, queue: str, *, with_age: bool = True) -> QueueStats:  # noqa: ARG002 - costs nothing
        """Look at a queue."""
        self._require(queue)
        return await self._operations.stats(queue)

    async def depths(self, queues: Sequence[str]) -> Mapping[str, Depth]:
        """Look at many queues at once."""
        for queue in queues:
            self._require(queue)
        return await read_depths(self._connections, queues)

    async def pause(self, queue: str) -> None:
        """Stop deliveries of a queue."""
        self._require(queue)
        await self._operations.pause(queue)

    async def resume(self, queue: str) -> None:
        """Let deliveries of a queue go on."""
        self._require(queue)
        await self._operations.resume(queue)

    async def purge(self, queue: str, on_purged: OnPurged, *, limit: int) -> int:
        """Take away what waits in a queue; see the port."""
        self._require(queue)
        return await purge(self._connections, queue, on_purged, limit=limit)

    async def dead_letters(
        self, queue: str, choice: DeadLetterChoice = EVERY_DEAD_LETTER, *, limit: int = 100, offset: int = 0
    ) -> Sequence[DeadLetter]:
        """List dead letters."""
        self._require(queue)
        return await self._operations.dead_letters(queue, choice, limit=limit, offset=offset)

    async def replay_dead_letters(
        self, queue: str, choice: DeadLetterChoice, *, limit: int = MOST_AT_ONCE
    ) -> int:
        """Put dead letters back, each once however often it is asked."""
        self._require(queue)
        return await self._operations.replay(queue, choice, limit=limit)

    async def discard_dead_letters(
        self, queue: str, choice: DeadLetterChoice, *, limit: int = MOST_AT_ONCE
    ) -> int:
        """Delete dead letters."""
        self._require(queue)
        return await self._operations.discard(queue, choice, limit=limit)

    def _require(self, queue: str) -> None:
        if queue not in self._topology.by_name:
            raise NotFoundError(f"No queue is called {queue!r}.")

    def _lose_replies(self) -> None:
        for on_lost in list(self._inboxes.values()):
            on_lost()

    def _forget(self, inbox: PostgresInbox) -> None:
        self._inboxes.pop(inbox, None)

    def _hear(self, message: Message) -> None:
        for on_message in self._hearers:
            on_message(message)

    async def _install(self) -> None:
        for attempt in itertools.count():
            try:
                connection = await open_connection(self._url, name=self._name, timeout_s=CONNECT_TIMEOUT_S)
                try:
                    async with asyncio.timeout(_INSTALL_TIMEOUT_S):
                        await install(connection, self._topology)
                    return
                finally:
                    connection.terminate()
            except (*OUTAGE, asyncpg.PostgresError) as error:
                if attempt % 20 == 0:
                    self._log.warning("waiting_for_the_broker", error=type(error).__name__)
            await asyncio.sleep(min(1.0, 0.05 * 2 ** min(attempt, 5)))

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_S * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load
            try:
                for queue in self._topology.by_name:
                    await self._operations.drop_expired(queue)
            except BrokerUnavailableError as error:
                self._log.warning("housekeeping_put_off", reason=error.message)
