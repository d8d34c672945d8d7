"""Calls that somebody waits for: lanes, large bodies, time limits, callers that leave."""

import asyncio
from collections.abc import Callable

import aiohttp
import pytest

from services.ingress.adapters.provider_calls import WORKERS_WORD_S
from services.ingress.settings import IngressSettings
from shared.contracts.ids import public_id
from shared.contracts.jobs import JobStatus, Lane
from tests.integration.ingress.conftest import Api, Tenant, hello, serve

CHAT = "/v1/chat/completions"
LIMIT_S = 10


@pytest.mark.parametrize(
    ("tier", "lane"),
    [(None, "interactive"), ("auto", "interactive"), ("flex", "standard"), ("batch", "batch")],
)
async def test_the_service_tier_chooses_the_lane(api: Api, tier: str | None, lane: str):
    async with api.http.post(CHAT, json=hello(service_tier=tier)) as answer:
        assert answer.status == 200
        assert answer.headers["X-Penstock-Lane"] == lane
    assert api.worker.requests[-1].lane is Lane(lane)


async def test_the_job_and_the_trace_are_the_same_on_both_sides_of_the_broker(api: Api):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"traceparent": trace, "X-Request-Id": "mine"}
    async with api.http.post(CHAT, json=hello(), headers=headers) as answer:
        job = api.worker.requests[-1]
        assert answer.headers["X-Job-Id"] == public_id("job", job.job_id)
    assert job.request_id == "mine"
    assert api.worker.headers[-1]["traceparent"].split("-")[1] == trace.split("-")[1]


async def test_a_large_body_travels_by_reference_in_both_directions(api: Api):
    async with api.http.post(CHAT, json=hello("sim/large", filler="y" * 200_000)) as answer:
        assert answer.status == 200
        assert len((await answer.json())["choices"][0]["message"]["content"]) == 300_000
    assert api.worker.requests[-1].body_ref is not None
    assert b"y" * 200_000 in api.worker.bodies[-1]


async def test_the_content_type_of_the_request_does_not_matter(api: Api):
    body = b'{"model":"fast","messages":[{"role":"user","content":"x"}]}'
    async with api.http.post(CHAT, data=body, headers={"Content-Type": "text/plain"}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_without_an_answer_is_expired_and_recorded(
    make_settings: Callable[..., IngressSettings], alice: Tenant, stream: bool
):
    async with serve(make_settings(sync_timeout_s=0.3), alice) as api:
        async with api.http.post(CHAT, json=hello("sim/silent", stream=stream)) as answer:
            assert answer.status == 504
            assert (await answer.json())["error"]["code"] == "deadline_exceeded"
            job_id = answer.headers["X-Job-Id"]
        async with asyncio.timeout(LIMIT_S):
            cancelled = await api.worker.cancelled.get()
            with pytest.raises(TimeoutError):  # the worker's own record would come first
                await asyncio.wait_for(api.worker.recorded.get(), WORKERS_WORD_S / 2)
            record = await api.worker.recorded.get()
    assert record.status is JobStatus.EXPIRED
    assert public_id("job", record.job_id) == public_id("job", cancelled) == job_id


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_that_leaves_cancels_the_call_upstream(api: Api, stream: bool):
    with pytest.raises(TimeoutError):
        await api.http.post(
            CHAT, json=hello("sim/silent", stream=stream), timeout=aiohttp.ClientTimeout(total=0.3)
        )
    async with asyncio.timeout(LIMIT_S):
        assert await api.worker.cancelled.get() == (await api.worker.seen.get()).job_id


async def test_a_stream_says_what_proxies_must_know(api: Api):
    async with api.http.post(CHAT, json=hello(stream=True)) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["X-Accel-Buffering"] == "no"
        text = await answer.text()
    assert text.endswith("data: [DONE]\n\n")
    assert all(part.startswith("data: ") for part in text.split("\n\n") if part)


async def test_a_broken_stream_ends_with_an_error_and_without_done(api: Api):
    for model in ("sim/gap", "sim/cut"):
        async with api.http.post(CHAT, json=hello(model, stream=True)) as answer:
            text = await answer.text()
        assert answer.status == 200
        assert '"error"' in text.strip().rpartition("\n\n")[2]
        assert "[DONE]" not in text


async def test_a_stream_that_lost_a_part_is_cancelled_upstream(api: Api):
    async with api.http.post(CHAT, json=hello("sim/gap", stream=True)) as answer:
        await answer.read()
    async with asyncio.timeout(LIMIT_S):
        assert await api.worker.cancelled.get() == api.worker.requests[0].job_id


async def test_stopping_answers_those_who_still_wait(
    make_settings: Callable[..., IngressSettings], alice: Tenant
):
    async with asyncio.TaskGroup() as tasks, serve(make_settings(), alice) as api:
        waiting = tasks.create_task(_status(api, CHAT, hello("sim/silent")))
        async with asyncio.timeout(LIMIT_S):
            await api.worker.seen.get()
        await api.stop()
        assert await waiting == 503


async def _status(api: Api, path: str, body: object) -> int:
    async with api.http.post(path, json=body) as answer:
        return answer.status


async def test_nothing_is_ever_accepted_unasked(api: Api):
    async with api.http.post(CHAT, json=hello(), headers={"Prefer": "wait=5"}) as answer:
        assert answer.status == 200
        assert "Location" not in answer.headers
