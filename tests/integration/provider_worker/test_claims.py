"""Claims of background jobs: one that has become old is asked for again before the provider is called."""

import time
from collections.abc import AsyncIterator

import pytest
import redis.asyncio as redis

from services.provider_worker.adapters.claims import FRESH_S, Claim, Claims, HeldClaim
from shared.contracts.ids import new_id
from shared.contracts.jobs import JobRequested
from shared.storage.redis import cancelled_key, claim_key
from tests.integration.provider_worker.harness import requested


@pytest.fixture
async def client(valkey_url: str) -> AsyncIterator[redis.Redis]:
    async with redis.Redis.from_url(valkey_url) as client:
        yield client


async def held(claims: Claims, request: JobRequested, *, age_s: float = 2 * FRESH_S) -> HeldClaim:
    start_id = new_id()
    assert await claims.claim(request, start_id, redelivered=False) is Claim.GRANTED
    return HeldClaim(claims, request, start_id, asked_at=time.monotonic() - age_s)


async def test_a_claim_that_nobody_took_over_still_stands(client: redis.Redis) -> None:
    claim = await held(Claims(client), requested())
    assert await claim.confirm() is Claim.GRANTED


@pytest.mark.parametrize("newer", [{}, {"publication": 2}, {"attempt": 2}])
async def test_a_worker_that_stood_still_learns_that_another_has_the_job(
    newer: dict[str, int], client: redis.Redis
) -> None:
    claims, request = Claims(client), requested()
    claim = await held(claims, request)
    other = request.model_copy(update=newer)
    assert await claims.claim(other, new_id(), redelivered=True) is Claim.GRANTED
    assert await claim.confirm() is Claim.SUPERSEDED


async def test_a_worker_that_stood_still_learns_that_its_job_is_cancelled(client: redis.Redis) -> None:
    request = requested()
    claim = await held(Claims(client), request)
    await client.set(cancelled_key(request.job_id), 1, ex=60)
    assert await claim.confirm() is Claim.CANCELLED


async def test_a_cancellation_of_an_earlier_attempt_does_not_stop_a_retry_that_had_to_wait(
    client: redis.Redis,
) -> None:
    request = requested().model_copy(update={"attempt": 2})
    await client.set(cancelled_key(request.job_id), 1, ex=60)
    claim = await held(Claims(client), request)
    assert await claim.confirm() is Claim.GRANTED


async def test_a_claim_stands_when_redis_has_lost_it_or_is_away(client: redis.Redis) -> None:
    request = requested()
    claim = await held(Claims(client), request)
    await client.delete(claim_key(request.job_id))
    assert await claim.confirm() is Claim.GRANTED
    async with redis.Redis(port=9) as nobody:
        away = HeldClaim(Claims(nobody), request, claim.start_id, asked_at=claim.asked_at)
        assert await away.confirm() is Claim.GRANTED


async def test_a_fresh_claim_costs_no_round_trip(client: redis.Redis) -> None:
    request = requested()
    claim = await held(Claims(client), request, age_s=0)
    await client.set(cancelled_key(request.job_id), 1, ex=60)
    assert await claim.confirm() is Claim.GRANTED
