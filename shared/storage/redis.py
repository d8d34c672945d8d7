"""Redis or Valkey: speed, never truth. Each use is bounded, and its absence is never a caller's problem."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from shared.config.settings import RedisSettings
from shared.errors import DependencyUnavailableError

JOB_KEY_TTL_S = 86_400
"""How long a job is known to be cancelled."""
CLAIM_TTL_S = 3600
"""How long a claim is kept. Copies of a job are published, and so run, within minutes of each other; at 150
bytes each, the claims of a day of 20 jobs a second would fill a Redis of 256 MB."""

REDIS_OUTAGE = (RedisError, OSError, TimeoutError)
"""What a command raises while the server is away; every caller goes on without it."""


def cancelled_key(job_id: UUID) -> str:
    """Name the key with the newest attempt of a job that nobody wants; the tag keeps a job on one node."""
    return f"penstock:{{{job_id}}}:cancelled"


def claim_key(job_id: UUID) -> str:
    """Name the key that holds the ``attempt:publication:start`` that was claimed last."""
    return f"penstock:{{{job_id}}}:claim"


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
    except REDIS_OUTAGE as error:
        raise DependencyUnavailableError(f"Redis does not answer: {type(error).__name__}.") from error
