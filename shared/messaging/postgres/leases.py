"""What this process holds: settled in batches, renewed together."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from shared.errors import BrokerUnavailableError, LeaseLostError
from shared.messaging.broker import Settlement
from shared.messaging.postgres import statements
from shared.messaging.postgres.batcher import Batcher
from shared.messaging.postgres.connections import Connections
from shared.messaging.postgres.delivery import PostgresDelivery

_GIVE_BACK = "SELECT penstock_broker.give_back($1, $2, $3, $4)"
_RENEW = "SELECT penstock_broker.renew($1, $2, $3, $4)"
_BURY = "SELECT penstock_broker.bury($1, $2, $3, $4, $5)"
CALL_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class _Return:
    delivery: PostgresDelivery
    counted: bool


class Leases:
    """Every unsettled delivery of a broker instance."""

    def __init__(self, connections: Connections, *, lease_s: float) -> None:
        self._connections = connections
        self._lease_s = lease_s
        self._held: set[PostgresDelivery] = set()
        self._log = structlog.get_logger()
        self.acks: Batcher[PostgresDelivery, bool] = Batcher(self._ack, timeout_s=CALL_TIMEOUT_S)
        self.returns: Batcher[_Return, bool] = Batcher(self._give_back, timeout_s=CALL_TIMEOUT_S)

    def add(self, delivery: PostgresDelivery) -> None:
        """Renew its lease from now on."""
        self._held.add(delivery)

    async def settle(self, delivery: PostgresDelivery, settlement: Settlement, reason: str) -> None:
        """Tell the broker; then renewal ends, unless the caller was cancelled first.

        Raises:
            LeaseLostError: A later reader has it, or it is gone.
            BrokerUnavailableError: Not settled, as far as is known; it will come again.
        """
        try:
            hit = await self._tell(delivery, settlement, reason)
        except BrokerUnavailableError:
            self._held.discard(delivery)
            raise
        self._held.discard(delivery)
        if not hit:
            raise LeaseLostError(f"a delivery from {delivery.queue} was given to somebody else")

    async def _tell(self, delivery: PostgresDelivery, settlement: Settlement, reason: str) -> bool:
        match settlement:
            case Settlement.ACK:
                return await self.acks.submit(delivery)
            case Settlement.DEAD_LETTER:
                return await self._bury(delivery, reason)
            case Settlement.REQUEUE | Settlement.RELEASE:
                counted = settlement is Settlement.REQUEUE
                return await self.returns.submit(_Return(delivery, counted))

    async def give_back_all(self) -> None:
        """Requeue everything that is held, in one statement; its consumers may have begun."""
        returns = [_Return(delivery, counted=True) for delivery in self._held if not delivery.settled]
        for each in returns:
            each.delivery.settled = True
        self._held.clear()
        if returns:
            await self._give_back(returns)

    async def renew_for_ever(self) -> None:
        """Renew every lease three times in its length, until cancelled."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            held = [delivery for delivery in self._held if not delivery.settled]
            if not held:
                continue
            try:
                hits = await self._change(_RENEW, held, timedelta(seconds=self._lease_s))
            except BrokerUnavailableError:
                self._log.warning("leases_not_renewed", held=len(held))
                continue
            for delivery, hit in zip(held, hits, strict=True):
                if not hit and delivery in self._held and not delivery.settled:
                    self._held.discard(delivery)
                    delivery.lost = True
                    self._log.warning("lease_lost", queue=delivery.queue, attempt=delivery.attempt)

    async def _ack(self, batch: Sequence[PostgresDelivery]) -> Sequence[bool]:
        tables: dict[str, list[PostgresDelivery]] = {}
        for delivery in sorted(batch, key=lambda held: (held.table, -held.read_ct)):
            tables.setdefault(delivery.table, []).append(delivery)
        keys = [
            column
            for held in tables.values()
            for column in ([each.msg_id for each in held], [each.read_ct for each in held])
        ]
        statement = statements.acknowledge(tuple(tables))
        gone = {row[:3] for row in await self._connections.fetch(statement, *keys, timeout_s=CALL_TIMEOUT_S)}
        return [(held.table, held.msg_id, held.read_ct) in gone for held in batch]

    async def _give_back(self, batch: Sequence[_Return]) -> Sequence[bool]:
        less = [0 if each.counted else 1 for each in batch]
        return await self._change(_GIVE_BACK, [each.delivery for each in batch], less)

    async def _bury(self, delivery: PostgresDelivery, reason: str) -> bool:
        rows = await self._connections.fetch(
            _BURY,
            delivery.table,
            delivery.queue,
            delivery.msg_id,
            delivery.read_ct,
            reason.replace("\0", "").encode(errors="replace").decode(),
            timeout_s=CALL_TIMEOUT_S,
        )
        return bool(rows[0][0])

    async def _change(
        self, sql: str, deliveries: Sequence[PostgresDelivery], *more: object
    ) -> Sequence[bool]:
        """Run a statement over deliveries; returns for each whether it was still ours."""
        rows = await self._connections.fetch(
            sql,
            [delivery.table for delivery in deliveries],
            [delivery.msg_id for delivery in deliveries],
            [delivery.read_ct for delivery in deliveries],
            *more,
            timeout_s=CALL_TIMEOUT_S,
        )
        hits = {row[0] for row in rows}
        return [position in hits for position in range(1, len(deliveries) + 1)]
