"""Tells the waiting ingress and the results service what becomes of jobs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from shared.contracts.base import Contract
from shared.errors import BrokerUnavailableError, PenstockError
from shared.messaging.broker import Broker, Message
from shared.observability.tracing import inject

_log = structlog.get_logger(__name__)

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0

T = TypeVar("T")


async def until_done(action: Callable[[], Awaitable[T]]) -> T:
    """Try something again until its dependency is back; a cancellation (SIGTERM) ends it.

    Raises:
        PenstockError: It failed for a reason that waiting does not heal.
    """
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return await action()
        except PenstockError as error:
            if not error.retryable:
                raise
            _log.warning("waiting for a dependency", code=error.code, reason=error.message)
        await asyncio.sleep(pause_s)
        pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)


def message_of(contract: Contract, *, correlation_id: str | None = None) -> Message:
    """Encode a contract, once for all who get it."""
    return Message(
        type=contract.message_type, body=contract.encode(), headers=inject(), correlation_id=correlation_id
    )


class Announcer:
    """Publishes over a broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def record(self, topic: str, message: Message) -> None:
        """Publish to results and wait for the confirm; while the broker is away, wait for it.

        The delivery that the message is about stays unsettled meanwhile, so nothing is lost either way.
        """
        await until_done(lambda: self._broker.publish(topic, message))

    async def reply(self, address: str, message: Message) -> bool:
        """Send to whoever waits; returns whether it was sent, for the broker may be away."""
        try:
            await self._broker.reply(address, message)
        except BrokerUnavailableError as error:
            _log.warning("reply not sent", reason=error.message)
            return False
        return True
