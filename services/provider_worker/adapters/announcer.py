"""Tells the waiting ingress and the results service what becomes of jobs."""

import structlog

from services.provider_worker.adapters.records import Records
from shared.contracts.base import Contract
from shared.errors import BrokerUnavailableError
from shared.messaging.broker import Broker, Message
from shared.observability.tracing import inject

_log = structlog.get_logger(__name__)


def message_of(contract: Contract, *, correlation_id: str | None = None) -> Message:
    """Encode a contract, once for all who get it."""
    return Message(
        type=contract.message_type, body=contract.encode(), headers=inject(), correlation_id=correlation_id
    )


class Announcer:
    """Publishes over a broker: replies at once, records gathered."""

    def __init__(self, broker: Broker, records: Records) -> None:
        self._broker = broker
        self._records = records

    async def record(self, topic: str, message: Message) -> None:
        """Publish to results and wait for the confirm; while the broker is away, wait for it.

        The delivery that the message is about stays unsettled meanwhile, so nothing is lost either way.
        """
        await self._records.add(topic, message)

    async def reply(self, address: str, message: Message) -> bool:
        """Send to whoever waits; returns whether it was sent, for the broker may be away."""
        try:
            await self._broker.reply(address, message)
        except BrokerUnavailableError as error:
            _log.warning("reply not sent", reason=error.message)
            return False
        return True
