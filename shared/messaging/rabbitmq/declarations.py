"""What exists on the broker, and with which arguments. Arguments are frozen: see ``topology.py``.

A queue has no dead-letter exchange: RabbitMQ would send expired messages there as well, which are no
failures. Consumers dead-letter by publishing to ``<queue>.dead`` themselves, and only then acknowledge.
"""

from aiormq.abc import AbstractChannel, ArgumentsType

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

_QUORUM: ArgumentsType = {
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


async def declare_topology(channel: AbstractChannel, topology: Topology) -> None:
    """Declare everything, in one round trip; what exists already is left as it is."""
    for queue in topology.queues:
        await _request_queue(channel, queue)
    await channel.exchange_declare(CONTROL_EXCHANGE, exchange_type="fanout", durable=True)


async def declare_queue(channel: AbstractChannel, queue: Queue) -> None:
    """Declare one queue, its dead letters, its bindings."""
    await _request_queue(channel, queue)
    await channel.exchange_declare(EXCHANGE, exchange_type="topic", durable=True)


async def declare_pause_flag(channel: AbstractChannel, queue: str) -> None:
    """Mark a queue as paused."""
    await channel.exchange_declare(pause_flag(queue), exchange_type="fanout", durable=True)


async def _request_queue(channel: AbstractChannel, queue: Queue) -> None:
    """Ask without waiting; a refusal closes the channel, so that the next call that waits fails."""
    await channel.exchange_declare(EXCHANGE, exchange_type="topic", durable=True, nowait=True)
    for name in (queue.name, dead_queue(queue.name)):
        await channel.queue_declare(name, durable=True, nowait=True, arguments=dict(_QUORUM))
    for pattern in queue.bindings:
        await channel.queue_bind(queue.name, EXCHANGE, pattern, nowait=True)
