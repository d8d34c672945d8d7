"""What this worker does at the moment, for operators who ask."""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice

from shared.contracts.jobs import JobRequested
from shared.contracts.operations import JOBS_A_REPORT, WorkerJob
from shared.errors import MalformedMessageError
from shared.messaging.broker import Delivery
from shared.messaging.traffic import Traffic


class Activity:
    """A handler around the handler: remembers what is under way, counts what is done.

    Args:
        handler: Does the work.
    """

    def __init__(self, handler: Callable[[Delivery], Awaitable[None]]) -> None:
        self._handler = handler
        self._under_way: dict[Delivery, float] = {}
        self._traffic = Traffic()

    async def __call__(self, delivery: Delivery) -> None:
        """Handle one delivery."""
        self._under_way[delivery] = time.time()
        try:
            await self._handler(delivery)
        finally:
            del self._under_way[delivery]
            self._traffic.count(delivery.queue)

    @property
    def running(self) -> int:
        """How many deliveries are being handled."""
        return len(self._under_way)

    def handled_per_s(self) -> Mapping[str, float]:
        """Return how many deliveries of each queue end here, over the last seconds."""
        return self._traffic.rates()

    def oldest(self) -> tuple[WorkerJob, ...]:
        """Describe the jobs that have run longest, at most :data:`JOBS_A_REPORT`."""
        return tuple(islice(self._jobs(), JOBS_A_REPORT))

    def _jobs(self) -> Iterator[WorkerJob]:
        for delivery, began in self._under_way.items():  # in the order in which they began
            try:
                request = JobRequested.decode(delivery.message.body)
            except MalformedMessageError:
                continue
            yield WorkerJob(
                job_id=request.job_id,
                tenant_id=request.tenant_id,
                operation=request.operation,
                lane=request.lane,
                model=request.model,
                background=request.background,
                attempt=request.attempt,
                began_at=datetime.fromtimestamp(began, UTC),
            )
