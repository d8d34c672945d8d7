"""What exists on the broker, and with which arguments. Arguments are frozen: see ``topology.py``.

A queue has no dead-letter exchange: RabbitMQ would send expired messages there as well, which are no
failures. Consumers dead-letter by publishing to ``<queue>.dead`` themselves, and only then acknowledge.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.messaging.amqp import methods
from shared.messaging.amqp.channel import Channel
from shared.messaging.amqp.tables import FieldValue
from shared.messaging.topology import Queue, Topology

EXCHANGE = "penstock.v1"
CONTROL_EXCHANGE = "penstock.control.v1"

DELIVERY_LIMIT = 2**31 - 1
"""How often RabbitMQ itself gives a message back before it drops it: never, in effect.

The attempts that count travel in the message. This limit must be explicit (4.x defaults to 20, 3.10 takes
-1 for 0) and out of reach, because a look at a queue's oldest message and a listing of its dead letters
count as deliveries too.
"""

CONSUMER_TIMEOUT_MS = 2**31 - 1
"""How long a consumer may hold a message: 24 days, in effect for as long as it lives.

RabbitMQ's own limit is 30 minutes, after which everything that the consumer holds is given to others, who
would call the provider again. 3.12 and later heed this, before only ``consumer_timeout`` in rabbitmq.conf.
"""

_QUORUM: Mapping[str, FieldValue] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": DELIVERY_LIMIT,
    "x-consumer-timeout": CONSUMER_TIMEOUT_MS,
}


def dead_queue(queue: str) -> str:
    """Queue of the dead letters of a queue."""
    return f"{queue}.dead"


def pause_flag(queue: str) -> str:
    """Exchange that exists while a queue is paused; nothing is ever published to it."""
    return f"{queue}.paused"


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """What the broker tells of a queue."""

    messages: int
    consumers: int


async def declare_topology(channel: Channel, topology: Topology) -> None:
    """Declare everything, in one round trip; what exists already is left as it is."""
    for queue in topology.queues:
        _request_queue(channel, queue)
    await declare_exchange(channel, CONTROL_EXCHANGE, kind="fanout")


async def declare_queue(channel: Channel, queue: Queue) -> None:
    """Declare one queue, its dead letters, its bindings."""
    _request_queue(channel, queue)
    await declare_exchange(channel, EXCHANGE, kind="topic")


async def declare_private_queue(channel: Channel, name: str, *, exchange: str | None) -> None:
    """Declare a queue that vanishes with its connection; bound to a fanout exchange if one is named."""
    await channel.call(
        methods.QUEUE_DECLARE, methods.QUEUE_DECLARE_OK, queue=name, exclusive=True, auto_delete=True
    )
    if exchange is not None:
        await declare_exchange(channel, exchange, kind="fanout")
        await channel.call(methods.QUEUE_BIND, methods.QUEUE_BIND_OK, queue=name, exchange=exchange)


async def declare_pause_flag(channel: Channel, queue: str) -> None:
    """Mark a queue as paused."""
    await declare_exchange(channel, pause_flag(queue), kind="fanout")


async def delete_pause_flag(channel: Channel, queue: str) -> None:
    """Mark a queue as not paused; it may not have been."""
    await channel.call(methods.EXCHANGE_DELETE, methods.EXCHANGE_DELETE_OK, exchange=pause_flag(queue))


async def declare_exchange(channel: Channel, name: str, *, kind: str) -> None:
    """Declare a durable exchange."""
    await channel.call(
        methods.EXCHANGE_DECLARE, methods.EXCHANGE_DECLARE_OK, exchange=name, kind=kind, durable=True
    )


async def find_exchange(channel: Channel, name: str) -> None:
    """Look for an exchange; raises ChannelClosedError with NOT_FOUND if there is none."""
    await channel.call(methods.EXCHANGE_DECLARE, methods.EXCHANGE_DECLARE_OK, exchange=name, passive=True)


async def count_queue(channel: Channel, name: str) -> QueueCounts:
    """Look at a queue; raises ChannelClosedError with NOT_FOUND if there is none."""
    counted = await channel.call(methods.QUEUE_DECLARE, methods.QUEUE_DECLARE_OK, queue=name, passive=True)
    return QueueCounts(messages=counted["messages"], consumers=counted["consumers"])


def _request_queue(channel: Channel, queue: Queue) -> None:
    """Ask without waiting; a refusal closes the channel, so that the next call that waits fails."""
    channel.send(methods.EXCHANGE_DECLARE, exchange=EXCHANGE, kind="topic", durable=True, nowait=True)
    for name in (queue.name, dead_queue(queue.name)):
        channel.send(methods.QUEUE_DECLARE, queue=name, durable=True, nowait=True, arguments=_QUORUM)
    for pattern in queue.bindings:
        channel.send(
            methods.QUEUE_BIND, queue=queue.name, exchange=EXCHANGE, routing_key=pattern, nowait=True
        )
