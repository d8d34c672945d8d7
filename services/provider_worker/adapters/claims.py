"""Claims of background jobs in Redis: of several copies of one job, one is run."""

import time
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from shared.contracts.jobs import JobRequested
from shared.storage.redis import CLAIM_TTL_S, REDIS_OUTAGE, cancelled_key, claim_key

_log = structlog.get_logger(__name__)

_SCRIPT = """
local attempt, publication = tonumber(ARGV[1]), tonumber(ARGV[2])
local cancelled = redis.call('GET', KEYS[1])
if cancelled and attempt <= tonumber(cancelled) then return 'cancelled' end
local stored = redis.call('GET', KEYS[2])
if stored then
    local a, p = string.match(stored, '(%d+):(%d+)')
    a, p = tonumber(a), tonumber(p)
    if attempt < a or (attempt == a and publication < p) then return 'superseded' end
    if attempt == a and publication == p and ARGV[3] == '0' then return 'duplicate' end
end
redis.call('SET', KEYS[2], ARGV[1] .. ':' .. ARGV[2] .. ':' .. ARGV[5], 'EX', ARGV[4])
return 'granted'
"""

_CONFIRM = """
local cancelled = redis.call('GET', KEYS[1])
if cancelled and tonumber(ARGV[2]) <= tonumber(cancelled) then return 'cancelled' end
local stored = redis.call('GET', KEYS[2])
if stored and stored ~= ARGV[1] then return 'superseded' end
return 'granted'
"""


class Claim(StrEnum):
    """What came of a claim."""

    GRANTED = "granted"
    CANCELLED = "cancelled"
    """Nobody wants this attempt of the job any more."""
    SUPERSEDED = "superseded"
    """A later attempt, or a later copy of this one, has been claimed; or this copy by somebody else."""
    DUPLICATE = "duplicate"
    """This very copy has been claimed, and not by somebody who lost it."""


class Claims:
    """One round trip a background job. Redis only saves work here: without it every claim is granted."""

    def __init__(self, client: Redis) -> None:
        self._claim = client.register_script(_SCRIPT)
        self._confirm = client.register_script(_CONFIRM)

    async def claim(self, request: JobRequested, start_id: UUID, *, redelivered: bool) -> Claim:
        """Claim a job for this delivery of it.

        Args:
            request: Its attempt and publication are compared with the highest ones claimed so far.
            start_id: Of the call that is to follow.
            redelivered: An earlier consumer had this copy and lost it.
        """
        arguments: list[int | str] = [
            request.attempt,
            request.publication,
            int(redelivered),
            CLAIM_TTL_S,
            str(start_id),
        ]
        return await self._ask(self._claim, request, arguments)

    async def confirm(self, request: JobRequested, start_id: UUID) -> Claim:
        """Ask whether a claim that was granted some time ago still stands."""
        held = f"{request.attempt}:{request.publication}:{start_id}"
        return await self._ask(self._confirm, request, [held, request.attempt])

    async def _ask(self, script: AsyncScript, request: JobRequested, arguments: list[int | str]) -> Claim:
        try:
            answer = await script(
                keys=[cancelled_key(request.job_id), claim_key(request.job_id)], args=arguments
            )
        except REDIS_OUTAGE as error:
            _log.warning("claim without redis", error=type(error).__name__)
            return Claim.GRANTED
        return Claim(answer.decode() if isinstance(answer, bytes) else answer)


FRESH_S = 1.0
"""An older claim is asked for again: this process may have stood still, and another one has the job."""


@dataclass(slots=True)
class HeldClaim:
    """A claim that was granted, and the id of the start that it was granted to."""

    claims: Claims
    request: JobRequested
    start_id: UUID
    asked_at: float
    """Monotonic, from before the claim: this process may stand still while the answer is on its way."""

    async def confirm(self) -> Claim:
        """Say whether the call may still be made; no round trip within a second of the claim."""
        if time.monotonic() - self.asked_at < FRESH_S:
            return Claim.GRANTED
        return await self.claims.confirm(self.request, self.start_id)
