"""A consumer in a process of its own, for tests that kill it: prints what it gets, settles nothing.

Arguments: the broker's URL and the queue's name.
"""

import asyncio
import sys

from shared.messaging.factory import make_broker
from shared.messaging.topology import Topology
from tests.contract.broker.conftest import broker_settings, small_queue


async def consume(url: str, queue: str) -> None:
    topology = Topology((small_queue(queue),))
    broker = make_broker(broker_settings(url), name="victim", topology=topology)
    await broker.connect()
    await broker.subscribe(
        queue,
        prefetch=10,
        on_delivery=lambda held: print(held.attempt, int(held.redelivered), flush=True),
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(consume(sys.argv[1], sys.argv[2]))
