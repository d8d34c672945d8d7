"""Telling the workers that nobody wants a job any more."""

import asyncio
from collections.abc import Mapping
from uuid import UUID

import structlog
from redis.asyncio import Redis

from services.ingress.adapters.broker_link import BrokerLink
from shared.contracts.base import Contract
from shared.contracts.jobs import JOBS_A_BROADCAST, JobCancelRequested, JobsCancelRequested
from shared.errors import PenstockError
from shared.storage.cancel_marks import mark_cancelled

_log = structlog.get_logger()


class Cancellation:
    """A broadcast for the worker that runs the job, a key in Redis for the one that gets it later.

    Both name the attempt that is meant, so that news that comes late does not stop a retry.
    """

    def __init__(self, link: BrokerLink, redis: Redis) -> None:
        self._link = link
        self._redis = redis

    async def request(self, tenant_id: UUID, job_id: UUID, attempt: int) -> None:
        """Tell as far as the dependencies allow; a job that runs on has its result thrown away."""
        cancel = JobCancelRequested(job_id=job_id, tenant_id=tenant_id, attempt=attempt)
        await asyncio.gather(mark_cancelled(self._redis, {job_id: attempt}), self._broadcast(cancel))

    async def request_all(self, tenant_id: UUID, attempts: Mapping[UUID, int]) -> None:
        """Do the same for many jobs at the price of a few."""
        if len(attempts) == 1:
            ((job_id, attempt),) = attempts.items()
            await self.request(tenant_id, job_id, attempt)
            return
        await mark_cancelled(self._redis, attempts)
        entries = list(attempts.items())
        for at in range(0, len(entries), JOBS_A_BROADCAST):
            await self._broadcast(JobsCancelRequested(attempts=dict(entries[at : at + JOBS_A_BROADCAST])))

    async def _broadcast(self, contract: Contract) -> None:
        try:
            await self._link.broadcast(contract)
        except PenstockError as error:
            _log.warning("cancellation not broadcast", code=error.code)
