"""Looks at queues: the broker's counts, the fleet's reports and the ages of jobs, all at the same time."""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from services.ingress.adapters.broker_link import BrokerLink
from services.ingress.adapters.fleet_inquiry import FleetInquiry
from services.ingress.adapters.patience import broker_patience, database_patience
from services.ingress.adapters.queue_drains import QueueDrains
from services.ingress.domain.fleet_queue import FleetQueue
from services.ingress.domain.queue_view import QueueView, view_of
from shared.contracts.jobs import Lane, Operation
from shared.errors import DatabaseUnavailableError
from shared.messaging.broker import QueueStats
from shared.messaging.topology import job_queue
from shared.storage.postgres import Database

# A job that a worker holds says so every few seconds; one whose last word is its publication waits.
_AGES = """
SELECT j.operation, j.lane, extract(epoch FROM clock_timestamp() - min(o.published_at))::float8 AS age_s
FROM outbox o JOIN jobs j ON j.id = o.job_id
WHERE o.published_at IS NOT NULL AND (o.held_at IS NULL OR o.held_at < o.published_at) AND j.status = 'queued'
GROUP BY j.operation, j.lane
"""
_AGES_PATIENCE_S = 1.2
_COUNT_PATIENCE_S = 5.0

_log = structlog.get_logger()


class QueueLooks:
    """What an operator sees.

    Args:
        link: The broker.
        inquiry: Asks the fleet.
        drains: Which queues take no new work.
        database: As ``penstock_system``.
    """

    def __init__(
        self, link: BrokerLink, inquiry: FleetInquiry, drains: QueueDrains, database: Database
    ) -> None:
        self._link = link
        self._inquiry = inquiry
        self._drains = drains
        self._database = database

    async def at(self, queues: Sequence[FleetQueue]) -> Sequence[QueueView]:
        """Look at some queues; takes half a second, which is how long the fleet has to report.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        await self._link.ping()  # whoever is away is known by this, soon; counting a long queue takes longer
        async with broker_patience(_COUNT_PATIENCE_S):
            reports, stats = await asyncio.gather(self._inquiry.reports(), self._count(queues))
        ages = None
        if any(_age_is_missing(queue, each) for queue, each in zip(queues, stats, strict=True)):
            ages = await self._job_ages()
        return [
            view_of(queue, each, reports, draining=queue.name in self._drains, job_ages=ages)
            for queue, each in zip(queues, stats, strict=True)
        ]

    async def _count(self, queues: Sequence[FleetQueue]) -> Sequence[QueueStats]:
        """Look at each without leaving a trace."""
        return await asyncio.gather(
            *(self._link.broker.stats(queue.name, with_age=False) for queue in queues)
        )

    async def _job_ages(self) -> Mapping[str, float] | None:
        try:
            async with database_patience(_AGES_PATIENCE_S), self._database.connection() as connection:
                rows = await connection.fetch(_AGES)
        except DatabaseUnavailableError as error:
            _log.warning("ages of jobs not known", reason=error.message)
            return None
        return {job_queue(Operation(row["operation"]), Lane(row["lane"])): row["age_s"] for row in rows}


def _age_is_missing(queue: FleetQueue, stats: QueueStats) -> bool:
    return queue.topic is not None and stats.ready > 0 and stats.oldest_age_s is None
