"""Which queues take no new work: rows in PostgreSQL, remembered here so that no submission has to ask."""

import asyncio
from uuid import UUID

import asyncpg
import structlog

from services.ingress.adapters.broker_link import BrokerLink
from services.ingress.adapters.patience import database_patience
from services.ingress.domain.fleet_queue import QueueDrainingError
from shared.contracts.jobs import Lane, Operation
from shared.contracts.operations import QueuesChanged
from shared.errors import DatabaseUnavailableError, PenstockError
from shared.messaging.broker import Message
from shared.messaging.topology import job_queue
from shared.storage.postgres import Database

_log = structlog.get_logger()

REFRESH_S = 10.0
"""After this an ingress that missed a broadcast follows all the same."""
RETRY_AFTER_S = 30.0

_BEGIN = "INSERT INTO queue_drains (queue, api_key_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_END = "DELETE FROM queue_drains WHERE queue = $1"


class QueueDrains:
    """Begins and ends drains, and refuses submissions meanwhile.

    While PostgreSQL is away what was known last goes on; before the first look nothing is refused.

    Args:
        database: As ``penstock_system``.
        link: Tells the other ingresses.
    """

    def __init__(self, database: Database, link: BrokerLink) -> None:
        self._database = database
        self._link = link
        self._draining: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        link.hear(self._heard)

    def __contains__(self, queue: object) -> bool:
        """Whether a queue takes no new work."""
        return queue in self._draining

    def require_open(self, operation: Operation, lane: Lane) -> None:
        """Refuse work for a queue that is being drained.

        Raises:
            QueueDrainingError: It is.
        """
        if self._draining and job_queue(operation, lane) in self._draining:
            raise QueueDrainingError(
                f"The {lane} lane takes no new {operation} jobs for the time being.",
                retry_after_s=RETRY_AFTER_S,
            )

    async def begin(self, queue: str, *, api_key_id: UUID) -> None:
        """Take no new work for a queue, durably; twice is as once.

        Raises:
            DatabaseUnavailableError: Nothing changed, as far as is known.
        """
        await self._change(_BEGIN, queue, api_key_id)

    async def end(self, queue: str) -> None:
        """Undo :meth:`begin`.

        Raises:
            DatabaseUnavailableError: Nothing changed, as far as is known.
        """
        await self._change(_END, queue)

    async def run(self) -> None:
        """Follow what this and the other ingresses decide, until cancelled."""
        while True:
            self._changed.clear()
            try:
                await self._look()
            except DatabaseUnavailableError as error:
                _log.warning("drains not read", reason=error.message)
            try:
                async with asyncio.timeout(REFRESH_S):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _change(self, statement: str, *arguments: object) -> None:
        async with database_patience(), self._database.connection() as connection:
            await connection.execute(statement, *arguments)
        await self._look()
        try:
            await self._link.broadcast(QueuesChanged())
        except PenstockError as error:
            _log.warning("drain not broadcast", code=error.code)

    async def _look(self) -> None:
        try:
            async with database_patience(), self._database.connection() as connection:
                rows = await connection.fetch("SELECT queue FROM queue_drains")
        except asyncpg.UndefinedTableError as error:  # before the migration
            raise DatabaseUnavailableError("The database has not been migrated.") from error
        self._draining = frozenset(row["queue"] for row in rows)

    def _heard(self, message: Message) -> None:
        if message.type == QueuesChanged.message_type:
            self._changed.set()
