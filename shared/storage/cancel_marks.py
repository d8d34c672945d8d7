"""Marks in Redis of jobs that nobody wants any more, for the worker that gets one later."""

from collections.abc import Mapping
from uuid import UUID

import structlog
from redis.asyncio import Redis

from shared.storage.redis import JOB_KEY_TTL_S, REDIS_OUTAGE, cancelled_key

_log = structlog.get_logger(__name__)


async def mark_cancelled(redis: Redis, attempts: Mapping[UUID, int]) -> None:
    """Mark jobs in one round trip; without Redis a call may be made whose result is thrown away.

    Args:
        redis: Keeps the marks.
        attempts: For each job the newest attempt that is meant, so that a retry is not stopped.
    """
    if not attempts:
        return
    try:
        async with redis.pipeline(transaction=False) as pipeline:
            for job_id, attempt in attempts.items():
                pipeline.set(cancelled_key(job_id), attempt, ex=JOB_KEY_TTL_S)
            await pipeline.execute()
    except REDIS_OUTAGE as error:
        _log.warning("cancellations not kept in Redis", jobs=len(attempts), reason=type(error).__name__)
