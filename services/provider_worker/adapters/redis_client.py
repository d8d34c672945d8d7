"""The connection to Redis or Valkey: quick to give up, for it only saves work."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from shared.config.settings import RedisSettings
from shared.errors import DependencyUnavailableError


@asynccontextmanager
async def redis_client(settings: RedisSettings) -> AsyncIterator["redis.Redis"]:
    """Open a pool that connects with its first use and tries nothing twice."""
    client = redis.Redis.from_url(
        settings.url.get_secret_value(),
        socket_timeout=settings.timeout_s,
        socket_connect_timeout=settings.timeout_s,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        yield client
    finally:
        await client.aclose()


async def ping(client: "redis.Redis") -> None:
    """Raise DependencyUnavailableError unless the server answers."""
    try:
        await client.ping()
    except (RedisError, OSError, TimeoutError) as error:
        raise DependencyUnavailableError("Redis does not answer.") from error
