"""Telling the workers that nobody wants a job any more."""

import asyncio

import structlog
from redis.asyncio import Redis

from services.ingress.adapters.broker_link import BrokerLink
from shared.contracts.jobs import JobCancelRequested
from shared.errors import PenstockError
from shared.storage.redis import JOB_KEY_TTL_S, REDIS_OUTAGE, cancelled_key

_log = structlog.get_logger()


class Cancellation:
    """A broadcast for the worker that runs the job, a key in Redis for the one that gets it later."""

    def __init__(self, link: BrokerLink, redis: Redis) -> None:
        self._link = link
        self._redis = redis

    async def request(self, cancel: JobCancelRequested) -> None:
        """Tell as far as the dependencies allow; a job that runs on has its result thrown away."""
        await asyncio.gather(self._keep(cancel), self._broadcast(cancel))

    async def _keep(self, cancel: JobCancelRequested) -> None:
        try:
            await self._redis.set(cancelled_key(cancel.job_id), 1, ex=JOB_KEY_TTL_S)
        except REDIS_OUTAGE as error:
            _log.warning("cancellation not kept in Redis", reason=type(error).__name__)

    async def _broadcast(self, cancel: JobCancelRequested) -> None:
        try:
            await self._link.broadcast(cancel)
        except PenstockError as error:
            _log.warning("cancellation not broadcast", code=error.code)
