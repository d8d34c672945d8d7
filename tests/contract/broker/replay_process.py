"""An operator's process that is killed in the middle of a replay: just after the broker was first told.

Arguments: the broker's URL and the queue's name.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from shared.messaging.dead_letters import DeadLetterChoice
from shared.messaging.factory import make_broker
from shared.messaging.postgres.broker import PostgresBroker
from shared.messaging.topology import Topology
from tests.contract.broker.conftest import broker_settings, small_queue


def then_die(tell: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def told(*arguments: Any, **options: Any) -> None:
        await tell(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    return told


async def replay(url: str, name: str) -> None:
    queue = small_queue(name)
    broker: Any = make_broker(broker_settings(url), name="victim", topology=Topology((queue,)))
    await broker.connect()
    if isinstance(broker, PostgresBroker):
        broker._connections.fetch = then_die(broker._connections.fetch)
    else:
        broker._publisher.publish = then_die(broker._publisher.publish)
    await broker.replay_dead_letters(queue.name, DeadLetterChoice())


if __name__ == "__main__":
    asyncio.run(replay(sys.argv[1], sys.argv[2]))
