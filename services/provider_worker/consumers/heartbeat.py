"""Says every few seconds which background jobs this worker still has."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import structlog

from services.provider_worker.adapters.announcer import message_of
from shared.contracts.jobs import JobRequested, JobsHeld
from shared.errors import DependencyUnavailableError, MalformedMessageError
from shared.messaging.broker import Broker, Delivery
from shared.messaging.topology import RESULTS_HELD

_log = structlog.get_logger(__name__)

_IDS_A_MESSAGE = 1000


class Heartbeat:
    """Keeps the scheduler from taking long jobs for lost ones.

    Args:
        broker: Where to publish.
        held: Every delivery that this process has not settled.
        worker: This process's name.
        interval_s: Time between two messages.
    """

    def __init__(
        self, broker: Broker, held: Callable[[], Sequence[Delivery]], *, worker: str, interval_s: float
    ) -> None:
        self._broker = broker
        self._held = held
        self._worker = worker
        self._interval_s = interval_s

    async def run(self) -> None:
        """Publish for ever; while the broker is away, nothing."""
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.beat()
            except DependencyUnavailableError as error:
                _log.warning("heartbeat not sent", reason=error.message)

    async def beat(self) -> None:
        """Publish once what is held now."""
        ids = list(_background(self._held()))
        for start in range(0, len(ids), _IDS_A_MESSAGE):
            held = JobsHeld(
                worker=self._worker,
                job_ids=tuple(ids[start : start + _IDS_A_MESSAGE]),
                held_at=datetime.now(UTC),
            )
            await self._broker.publish(RESULTS_HELD, message_of(held))


def _background(deliveries: Sequence[Delivery]) -> Iterator[UUID]:
    for delivery in deliveries:
        if delivery.message.reply_to is None:  # nobody waits: otherwise there is no row to keep alive
            try:
                request = JobRequested.decode(delivery.message.body)
            except MalformedMessageError:
                continue
            if request.background:
                yield request.job_id
