"""What becomes of a delivery, decided in one place: no handler acknowledges by hand."""

import asyncio

import structlog

from shared.errors import BrokerUnavailableError, LeaseLostError, PenstockError
from shared.messaging.broker import Delivery, Settlement

_log = structlog.get_logger(__name__)


def settlement_for(error: BaseException | None) -> Settlement:
    """Decide a delivery's fate by how its handler ended.

    Args:
        error: What the handler raised; None when it returned.
    """
    match error:
        case None:
            return Settlement.ACK
        case PenstockError(retryable=True) | asyncio.CancelledError():
            return Settlement.REQUEUE
        case _:
            return Settlement.DEAD_LETTER


def reason_for(error: BaseException) -> str:
    """Say why a delivery is given up, for the operator.

    A failure raised on purpose speaks for itself. A bug is named by its type only: its text may quote
    the message, and dead letters are shown in listings.
    """
    if isinstance(error, PenstockError):
        return f"{error.code}: {error.message}"
    return f"bug: {type(error).__name__}"


async def settle(delivery: Delivery, settlement: Settlement, *, reason: str = "") -> None:
    """Settle, and only log when that is too late: the message comes again, here or elsewhere."""
    try:
        await delivery.settle(settlement, reason=reason)
    except (LeaseLostError, BrokerUnavailableError) as error:
        _log.warning(
            "delivery not settled",
            queue=delivery.queue,
            settlement=str(settlement),
            code=error.code,
            attempt=delivery.attempt,
        )
