"""A connection that comes back by itself, for as long as its process lives."""

import asyncio

import structlog

from shared.errors import BrokerUnavailableError
from shared.messaging.amqp.address import address_of
from shared.messaging.amqp.connection import Connection
from shared.messaging.amqp.handshake import connect
from shared.messaging.rabbitmq.failures import bounded

_log = structlog.get_logger(__name__)

HEARTBEAT_S = 10
CONNECT_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 3.0
FIRST_DELAY_S = 0.05
LONGEST_DELAY_S = 1.0
REPORT_EVERY = 30
"""Failed attempts in a row of which one is logged: half a minute."""


class Link:
    """One connection to the broker, opened again whenever it is lost."""

    def __init__(self, url: str, name: str) -> None:
        self._address = address_of(url)
        self._name = name
        self._connection: Connection | None = None
        self._up = asyncio.Event()

    async def run(self) -> None:
        """Keep the connection; ends by cancellation only."""
        delay_s = FIRST_DELAY_S
        failures = 0
        while True:
            try:
                async with bounded(CONNECT_TIMEOUT_S):
                    connection = await connect(self._address, name=self._name, heartbeat_s=HEARTBEAT_S)
            except BrokerUnavailableError as error:
                if failures % REPORT_EVERY == 0:
                    _log.warning("broker not reached", connection=self._name, reason=error.message)
                failures += 1
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, LONGEST_DELAY_S)
                continue
            delay_s, failures = FIRST_DELAY_S, 0
            self._connection = connection
            self._up.set()
            await asyncio.wait([connection.closed])
            self._up.clear()
            self._connection = None
            _log.warning("broker connection lost", connection=self._name, reason=str(connection.error))

    async def connected(self) -> Connection:
        """Wait for the connection."""
        while self._connection is None:
            await self._up.wait()
        return self._connection

    @property
    def up(self) -> bool:
        """Whether there is a connection now, as far as anybody knows."""
        return self._connection is not None

    @property
    def blocked(self) -> bool:
        """Whether the broker reads nothing from this connection: it is short of memory or of disk."""
        return self._connection is not None and self._connection.blocked

    async def close(self) -> None:
        """Disconnect; what was written before is flushed."""
        connection, self._connection = self._connection, None
        self._up.clear()
        if connection is None:
            return
        try:
            async with bounded(CLOSE_TIMEOUT_S):
                await connection.close()
        except BrokerUnavailableError as error:
            _log.info("broker connection not closed in order", connection=self._name, reason=error.message)
