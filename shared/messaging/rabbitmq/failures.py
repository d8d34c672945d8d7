"""What the AMQP client raises, turned into the failures that the port promises."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.errors import BrokerUnavailableError
from shared.messaging.amqp.errors import AmqpError


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
    except (AmqpError, OSError) as error:
        raise BrokerUnavailableError(f"RabbitMQ: {type(error).__name__}: {error}") from error
