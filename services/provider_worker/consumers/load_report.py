"""Says every second how many jobs this worker has and has done: what estimates of the backlog are made of."""

import asyncio
from collections.abc import Callable, Mapping

import structlog

from shared.contracts.backlog import QueueLoad, WorkerLoad
from shared.errors import DependencyUnavailableError
from shared.messaging.broker import Broker, Message
from shared.messaging.consumer import QueueInHand

_log = structlog.get_logger(__name__)


class LoadReport:
    """Broadcasts what is in hand.

    Args:
        broker: Carries the broadcasts.
        in_hand: Looked at each time.
        worker: This process's name.
        interval_s: Time between two broadcasts.
    """

    def __init__(
        self,
        broker: Broker,
        in_hand: Callable[[], Mapping[str, QueueInHand]],
        *,
        worker: str,
        interval_s: float,
    ) -> None:
        self._broker = broker
        self._in_hand = in_hand
        self._worker = worker
        self._interval_s = interval_s

    async def run(self) -> None:
        """Broadcast for ever, at once and then in intervals; while the broker is away, nothing."""
        while True:
            try:
                await self._tell()
            except DependencyUnavailableError as error:
                _log.info("load not told", reason=error.message)
            await asyncio.sleep(self._interval_s)

    async def _tell(self) -> None:
        load = WorkerLoad(
            worker=self._worker,
            queues=tuple(
                QueueLoad(
                    queue=queue,
                    waiting=found.waiting,
                    running=found.running,
                    done=found.done,
                    slot_s=round(found.slot_s, 3),
                    oldest_at=None if found.oldest_at is None else found.oldest_at.timestamp(),
                )
                for queue, found in self._in_hand().items()
                if found.waiting or found.running or found.done
            ),
        )
        await self._broker.broadcast(Message(type=load.message_type, body=load.encode()))
