"""What the AMQP client raises, turned into the failures that the port promises."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiormq

from shared.errors import BrokerUnavailableError

LOST = (aiormq.AMQPError, OSError, RuntimeError)
"""A channel or connection is gone. ``ChannelInvalidStateError`` and "... closed" are RuntimeErrors."""


def lost(error: BaseException) -> bool:
    """Tell the loss of a channel or connection from a bug.

    After an orderly end the client rejects its futures with a bare ``Exception``.
    """
    return isinstance(error, LOST) or type(error) is Exception


def cancelled_from_outside() -> bool:
    """Tell a cancellation of the current task from one that the client uses to reject its futures."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@asynccontextmanager
async def bounded(timeout_s: float) -> AsyncIterator[None]:
    """Run a body of AMQP calls within ``timeout_s`` seconds.

    Raises:
        BrokerUnavailableError: It took longer, or the connection broke.
    """
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError as error:
        raise BrokerUnavailableError(f"RabbitMQ did not answer within {timeout_s:g} s") from error
    except asyncio.CancelledError as error:
        if cancelled_from_outside():
            raise
        raise BrokerUnavailableError("the connection to RabbitMQ broke") from error
    except Exception as error:
        if not lost(error):
            raise
        raise BrokerUnavailableError(f"RabbitMQ: {type(error).__name__}: {error}") from error
