"""A bound on how long a caller waits to hear that a dependency is down."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.errors import BrokerUnavailableError, DatabaseUnavailableError

DATABASE_PATIENCE_S = 1.6
"""Below the two seconds within which a caller hears of an outage."""
BROKER_PATIENCE_S = 1.6


@asynccontextmanager
async def database_patience(limit_s: float = DATABASE_PATIENCE_S) -> AsyncIterator[None]:
    """Turn a database that is silent (not only one that is gone) into an error within ``limit_s``."""
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError as error:
        raise DatabaseUnavailableError("PostgreSQL does not answer in time.") from error


@asynccontextmanager
async def broker_patience(limit_s: float = BROKER_PATIENCE_S) -> AsyncIterator[None]:
    """Turn a broker that is silent into an error within ``limit_s``."""
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError as error:
        raise BrokerUnavailableError("The broker does not answer in time.") from error
