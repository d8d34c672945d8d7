"""Redis or Valkey: each use is bounded, and its absence is never a caller's problem."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from shared.config.settings import RedisSettings
from shared.errors import DependencyUnavailableError


@asynccontextmanager
async def open_redis(settings: RedisSettings, *, name: str) -> AsyncIterator[Redis]:
    """Yield a client that connects when it is used."""
    redis = Redis.from_url(
        settings.url.get_secret_value(),
        socket_timeout=settings.timeout_s,
        socket_connect_timeout=settings.timeout_s,
        # One more try: the first may find a connection that the server closed meanwhile.
        retry=Retry(NoBackoff(), 1),
        client_name=name,
    )
    try:
        yield redis
    finally:
        await redis.aclose()


async def ping_redis(redis: Redis) -> None:
    """Raise DependencyUnavailableError unless Redis answers."""
    try:
        await redis.ping()
    except RedisError as error:
        raise DependencyUnavailableError(f"Redis does not answer: {type(error).__name__}.") from error
