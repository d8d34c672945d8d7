"""Claims of background jobs in Redis: of several copies of one job, one is run."""

from enum import StrEnum

import structlog
from redis.asyncio import Redis

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
redis.call('SET', KEYS[2], ARGV[1] .. ':' .. ARGV[2], 'EX', ARGV[4])
return 'granted'
"""


class Claim(StrEnum):
    """What came of a claim."""

    GRANTED = "granted"
    CANCELLED = "cancelled"
    """Nobody wants this attempt of the job any more."""
    SUPERSEDED = "superseded"
    """A later attempt, or a later copy of this one, has been claimed."""
    DUPLICATE = "duplicate"
    """This very copy has been claimed, and not by somebody who lost it."""


class Claims:
    """One round trip a background job. Redis only saves work here: without it every claim is granted."""

    def __init__(self, client: Redis) -> None:
        self._script = client.register_script(_SCRIPT)

    async def claim(self, request: JobRequested, *, redelivered: bool) -> Claim:
        """Claim a job for this delivery of it.

        Args:
            request: Its attempt and publication are compared with the highest ones claimed so far.
            redelivered: An earlier consumer had this copy and lost it.
        """
        try:
            answer = await self._script(
                keys=[cancelled_key(request.job_id), claim_key(request.job_id)],
                args=[request.attempt, request.publication, int(redelivered), CLAIM_TTL_S],
            )
        except REDIS_OUTAGE as error:
            _log.warning("claim without redis", error=type(error).__name__)
            return Claim.GRANTED
        return Claim(answer.decode() if isinstance(answer, bytes) else answer)
