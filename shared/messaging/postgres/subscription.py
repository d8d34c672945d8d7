"""Takes messages from one queue, as many as its consumer has room for."""

import asyncio
import math
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
import structlog

from shared.errors import BrokerUnavailableError, MalformedMessageError, PenstockError
from shared.messaging.broker import OnDelivery, Settlement
from shared.messaging.postgres import statements
from shared.messaging.postgres.codec import from_row, unreadable
from shared.messaging.postgres.connections import Connections
from shared.messaging.postgres.delivery import PostgresDelivery
from shared.messaging.postgres.leases import Leases
from shared.messaging.postgres.names import table_name

POLL_S = 1.0
"""How long a message may go unnoticed whose notification got lost, or whose lease ran out."""
TAKE_TIMEOUT_S = 3.0
MAX_TAKE = 128


class Reader:
    """The loop behind a subscription: read, hand out, wait for a notification, a free slot or the clock."""

    def __init__(
        self,
        connections: Connections,
        leases: Leases,
        *,
        queue: str,
        prefetch: int,
        lease_s: float,
        on_delivery: OnDelivery,
    ) -> None:
        self._connections = connections
        self._leases = leases
        self._queue = queue
        self._table = table_name(queue)
        self._take = statements.take(self._table)
        self._prefetch = prefetch
        self._lease_s = math.ceil(lease_s)
        self._on_delivery = on_delivery
        self._unsettled = 0
        self._maybe_more = True
        self._stopped = False
        self._resting = False
        self._failing = False
        self._wake = asyncio.Event()
        self._ended = asyncio.Event()
        self._log = structlog.get_logger(queue=queue)

    def notice(self, _: str = "") -> None:
        """There may be something to take."""
        self._maybe_more = True
        self._wake.set()

    async def stop(self) -> None:
        """Take nothing more; returns when a read under way has been given back."""
        self._stopped = True
        self._wake.set()
        await self._ended.wait()

    def rest(self) -> None:
        """Read nothing until :meth:`go_on`; what a read under way brings is given back."""
        self._resting = True

    def go_on(self) -> None:
        """Read again."""
        self._resting = False
        self.notice()

    async def run(self) -> None:
        """Read until stopped."""
        try:
            while not self._stopped:
                free = self._prefetch - self._unsettled
                if free and self._maybe_more and not self._resting:
                    await self._read(min(free, MAX_TAKE))
                else:
                    await self._rest()
        finally:
            self._ended.set()

    async def _rest(self) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(POLL_S):
                await self._wake.wait()
        except TimeoutError:
            self._maybe_more = True

    async def _read(self, wanted: int) -> None:
        self._maybe_more = False
        try:
            rows = await self._connections.fetch(
                self._take, float(self._lease_s), wanted, self._queue, timeout_s=TAKE_TIMEOUT_S
            )
        except BrokerUnavailableError as error:
            if not self._failing:  # once an outage
                self._log.warning("queue_not_read", reason=error.message)
            self._failing = True
            await self._rest()
            return
        self._failing = False
        if len(rows) == wanted:
            self._maybe_more = True
        await self._hand_out(sorted(rows, key=lambda row: row["msg_id"]))

    async def _hand_out(self, rows: Sequence[asyncpg.Record]) -> None:
        now = datetime.now(UTC)
        unwanted: list[tuple[PostgresDelivery, Settlement, str]] = []
        for row in rows:
            delivery, fault = self._delivery(row)
            self._leases.add(delivery)
            expires_at = delivery.message.expires_at
            if fault:
                unwanted.append((delivery, Settlement.DEAD_LETTER, fault))
            elif expires_at is not None and expires_at <= now:
                unwanted.append((delivery, Settlement.ACK, ""))
            elif self._stopped or self._resting:
                unwanted.append((delivery, Settlement.RELEASE, ""))
            else:
                self._unsettled += 1
                self._on_delivery(delivery)
        if unwanted:
            async with asyncio.TaskGroup() as tasks:
                for each in unwanted:
                    tasks.create_task(self._refuse(*each))

    def _delivery(self, row: asyncpg.Record) -> tuple[PostgresDelivery, str]:
        """Build the delivery, and say what is wrong with a row that nobody of ours has written."""
        fault = ""
        try:
            message, published_at = from_row(row["body"], row["headers"])
        except MalformedMessageError as error:
            message, published_at, fault = unreadable(row["body"]), None, error.message
        delivery = PostgresDelivery(
            message=message,
            queue=self._queue,
            table=self._table,
            msg_id=row["msg_id"],
            read_ct=row["read_ct"],
            published_at=published_at or row["published_at"],
            on_settle=self._settle,
        )
        return delivery, fault

    async def _settle(self, delivery: PostgresDelivery, settlement: Settlement, reason: str) -> None:
        try:
            await self._leases.settle(delivery, settlement, reason)
        except asyncio.CancelledError:
            delivery.settled = False  # it may be settled anew, and is given back on closing
            raise
        except PenstockError:
            self._free_slot()
            raise
        self._free_slot()

    def _free_slot(self) -> None:
        self._unsettled -= 1
        if self._maybe_more:
            self._wake.set()

    async def _refuse(self, delivery: PostgresDelivery, settlement: Settlement, reason: str) -> None:
        try:
            await self._leases.settle(delivery, settlement, reason)
        except PenstockError as error:
            self._log.warning("delivery_not_refused", settlement=settlement, reason=error.message)
