"""The broker port: what Penstock needs of a message broker, and what it promises in return.

Two implementations, ``rabbitmq/`` and ``postgres/``, pass one contract suite
(``tests/contract/broker``). Promises that every implementation keeps:

* A publish that returns is durable and routed. One that raises says whether it certainly did not
  happen (:class:`BrokerUnavailableError`, :class:`UnroutableMessageError`) or may have
  (:class:`PublishOutcomeUnknownError`).
* A delivery that is not settled, because its process died or lost its connection, comes again with
  ``redelivered`` set and ``attempt`` raised by one. At least once, never at most once.
* Replies and broadcasts are transient and at most once: whoever waits has a time limit.
* Every call is bounded in time, reconnects by itself, and raises an error of ``shared.errors``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

Headers = Mapping[str, str]
NO_HEADERS: Headers = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, to be sent or received."""

    type: str
    """Name and version of its contract, e.g. ``job.requested.v1``."""
    body: bytes
    """UTF-8 text of at most :data:`MAX_BODY_BYTES`."""
    headers: Headers = field(default_factory=lambda: NO_HEADERS)
    """Small application headers, e.g. ``traceparent``; keys that start with ``x-`` are the broker's."""
    correlation_id: str | None = None
    reply_to: str | None = None
    """Address of an :class:`Inbox`."""
    expires_at: datetime | None = None
    """When the broker may drop the message if nobody has taken it."""


MAX_BODY_BYTES = 256 * 1024
"""Upper bound of one message; larger bodies travel by reference (``shared.storage.bodies``)."""


class Settlement(StrEnum):
    """What becomes of a delivery."""

    ACK = "ack"
    REQUEUE = "requeue"
    """Back to the queue at once, with ``attempt`` raised by one."""
    RELEASE = "release"
    """Back to the queue at once, untouched: the consumer never began (it drains, or is paused)."""
    DEAD_LETTER = "dead_letter"


class Delivery(Protocol):
    """A message that this consumer holds until it settles it."""

    @property
    def message(self) -> Message:
        """What was published."""

    @property
    def queue(self) -> str:
        """The queue it came from."""

    @property
    def attempt(self) -> int:
        """Which delivery to a consumer this is, from 1; counts crashes and requeues, not releases."""

    @property
    def redelivered(self) -> bool:
        """Whether an earlier consumer had it and may have acted on it."""

    @property
    def published_at(self) -> datetime:
        """When it was first put on the queue."""

    @property
    def lost(self) -> bool:
        """Whether it is known to have gone back to the queue: whoever begins it now does it twice."""

    async def settle(self, settlement: Settlement, *, reason: str = "") -> None:
        """Decide its fate, once; returns when the broker has been told.

        Args:
            settlement: What is to become of it.
            reason: Kept with a dead letter, for the operator.

        Raises:
            LeaseLostError: The broker gave it to somebody else in the meantime.
            BrokerUnavailableError: The connection is gone; the delivery will come again.
        """


class Subscription(Protocol):
    """A running consumption of one queue. It survives reconnects and follows pause and resume."""

    async def stop(self) -> None:
        """Take no further deliveries; those already handed out can still be settled."""


class Inbox(Protocol):
    """A private address where replies arrive for as long as this process lives."""

    @property
    def address(self) -> str:
        """What goes into ``reply_to``."""

    async def close(self) -> None:
        """Drop the address; later replies to it vanish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStats:
    """One look at a queue."""

    ready: int
    """Messages that wait for a consumer."""
    in_flight: int | None
    """Messages that a consumer holds; None where the broker does not tell."""
    consumers: int
    """Subscriptions on it, in all processes."""
    oldest_age_s: float | None
    """Seconds that the oldest waiting message has waited; None when nothing waits or nobody asked."""
    dead: int
    """Dead letters of this queue."""
    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """What can be told of a queue at next to no cost."""

    ready: int
    """Messages that wait for a consumer; of very many, a good estimate."""
    consumers: int
    """Subscriptions that may take from it now; 0 while it is paused."""
    oldest_age_s: float | None
    """Seconds that the first waiting message has waited; None when none waits or the broker does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that was given up, with what an operator needs to decide about it."""

    id: str
    """Stable while the dead letter exists."""
    queue: str
    message: Message
    reason: str
    attempt: int
    died_at: datetime


OnDelivery = Callable[[Delivery], None]
OnMessage = Callable[[Message], None]


class Broker(Protocol):
    """A connection to a broker. Callbacks run on the event loop, must not block and must not raise."""

    async def connect(self) -> None:
        """Connect and declare the topology; waits for a broker that is not up yet, without end.

        Later outages are healed in the background. Call once.
        """

    async def close(self) -> None:
        """Flush what was accepted, give back every unsettled delivery, disconnect."""

    async def ping(self) -> None:
        """Raise BrokerUnavailableError unless the broker answered just now; bounded to 1 s."""

    async def publish(self, topic: str, message: Message) -> None:
        """Put a durable message on every queue bound to the topic.

        Concurrent calls share round trips. Bounded by the publish timeout of the settings.

        Raises:
            UnroutableMessageError: No queue is bound to the topic.
            PayloadTooLargeError: The body is over :data:`MAX_BODY_BYTES`.
            MalformedMessageError: This broker cannot spell a property; not published.
            BrokerUnavailableError: Certainly not published.
            PublishOutcomeUnknownError: The confirm did not come; it may be published.
        """

    async def subscribe(self, queue: str, *, prefetch: int, on_delivery: OnDelivery) -> Subscription:
        """Take messages from a queue, at most ``prefetch`` unsettled at a time.

        A lease is renewed for as long as the process lives and the delivery is not settled.
        """

    async def open_inbox(self, on_reply: OnMessage, on_lost: Callable[[], None]) -> Inbox:
        """Open an address for replies; replies of one sender arrive in the order they were sent.

        Args:
            on_reply: Gets each reply.
            on_lost: Called when replies may have been lost (the connection broke, or is back and some came
                meanwhile): whoever waits for one should stop. The inbox keeps its address and goes on
                after the reconnect.
        """

    async def reply(self, address: str, message: Message) -> None:
        """Send to an inbox, transient and unconfirmed; an address that is gone is no error.

        Raises:
            PayloadTooLargeError: The body is over :data:`MAX_BODY_BYTES`.
            BrokerUnavailableError: Not sent.
        """

    async def broadcast(self, message: Message) -> None:
        """Send to every process that listens now; at most 7,000 bytes, transient.

        Raises:
            PayloadTooLargeError: The body is over that.
            BrokerUnavailableError: Not sent.
        """

    async def listen(self, on_message: OnMessage) -> None:
        """Receive every broadcast from now on, for as long as the connection lives."""

    async def stats(self, queue: str, *, with_age: bool = True) -> QueueStats:
        """Look at a queue.

        Args:
            queue: Its name.
            with_age: Whether ``oldest_age_s`` is wanted. To learn it a broker may have to take the oldest
                message for a moment, which then counts as an attempt of it.
        """

    async def depths(self, queues: Sequence[str]) -> Mapping[str, Depth]:
        """Look at many queues at once, touching no message.

        Raises:
            NotFoundError: One of them does not exist.
            BrokerUnavailableError: The broker does not answer.
        """

    async def pause(self, queue: str) -> None:
        """Stop deliveries of a queue to every consumer, durably; what is in flight goes on."""

    async def resume(self, queue: str) -> None:
        """Undo :meth:`pause`."""

    async def dead_letters(self, queue: str, *, limit: int = 100) -> Sequence[DeadLetter]:
        """List the dead letters of a queue, oldest first, without removing them."""

    async def replay_dead_letters(self, queue: str, ids: Sequence[str]) -> int:
        """Put dead letters back on their queue with ``attempt`` at 1; returns how many there were."""

    async def discard_dead_letters(self, queue: str, ids: Sequence[str]) -> int:
        """Delete dead letters for good; returns how many there were."""
