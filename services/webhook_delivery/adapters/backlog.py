"""Watches how much is due and for how long."""

import asyncio

import asyncpg
import structlog

from services.webhook_delivery import metrics
from shared.errors import DatabaseUnavailableError
from shared.storage.postgres import Database

_log = structlog.get_logger(__name__)

INTERVAL_S = 5.0

_DUE = """
SELECT count(*) AS due, coalesce(extract(epoch FROM now() - min(due_at)), 0)::float8 AS oldest_s
FROM webhook_queue WHERE due_at <= now()
"""


async def watch_backlog(database: Database) -> None:
    """Keep the gauges of the whole fleet's backlog up to date, until cancelled."""
    while True:
        try:
            async with database.connection() as connection:
                row = await connection.fetchrow(_DUE)
        except DatabaseUnavailableError as error:
            _log.warning("backlog of webhooks not known", code=error.code)
        except asyncpg.PostgresError as error:  # a migration still to come
            _log.warning("backlog of webhooks not known", sqlstate=error.sqlstate)
        else:
            metrics.DUE.set(row["due"])
            metrics.OLDEST_DUE.set(row["oldest_s"])
        await asyncio.sleep(INTERVAL_S)
