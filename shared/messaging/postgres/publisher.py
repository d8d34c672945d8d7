"""Durable publishing: concurrent publishes share one statement and one commit."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import PublishOutcomeUnknownError, UnroutableMessageError
from shared.messaging.broker import Message
from shared.messaging.postgres import statements
from shared.messaging.postgres.batcher import Batcher
from shared.messaging.postgres.codec import Stored, to_row
from shared.messaging.postgres.connections import Connections
from shared.messaging.postgres.names import table_name
from shared.messaging.topology import Topology


@dataclass(frozen=True, slots=True)
class _Publication:
    tables: Sequence[str]
    row: Stored


class Publisher:
    """Routes by the topology and inserts."""

    def __init__(self, connections: Connections, topology: Topology, *, timeout_s: float) -> None:
        self._connections = connections
        self._topology = topology
        self._timeout_s = timeout_s
        self._tables: dict[str, Sequence[str]] = {}
        self.batches: Batcher[_Publication, None] = Batcher(
            self._flush, timeout_s=timeout_s, in_doubt=PublishOutcomeUnknownError
        )

    async def publish(self, topic: str, message: Message) -> None:
        """Put a message on every queue bound to the topic; see the port."""
        tables = self._tables_of(topic)
        await self.batches.submit(_Publication(tables, to_row(message)))

    def _tables_of(self, topic: str) -> Sequence[str]:
        tables = self._tables.get(topic)
        if tables is None:
            tables = [table_name(queue) for queue in self._topology.routes(topic)]
            if not tables:
                raise UnroutableMessageError(f"no queue is bound to the topic {topic}")
            self._tables[topic] = tables
        return tables

    async def _flush(self, batch: Sequence[_Publication]) -> Sequence[None]:
        rows = [(table, item.row) for item in batch for table in item.tables]
        tables = tuple(sorted({table for table, _ in rows}))
        await self._connections.fetch(
            statements.publish(tables),
            [tables.index(table) for table, _ in rows],
            [row.message for _, row in rows],
            [row.headers for _, row in rows],
            timeout_s=self._timeout_s,
            in_doubt=PublishOutcomeUnknownError,
        )
        return [None] * len(batch)
