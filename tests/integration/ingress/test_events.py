"""The events of a job: live, resumable, on any ingress, and over when the job is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import aiohttp

from services.ingress.settings import IngressSettings
from shared.contracts.ids import parse_public_id
from shared.contracts.jobs import JobStatus
from shared.storage.transitions import JobEnd
from tests.integration.ingress.conftest import Api, Tenant, serve
from tests.integration.ingress.test_jobs import Rows, get, submit

LIMIT_S = 10


@asynccontextmanager
async def following(
    http: aiohttp.ClientSession, url: str, **kwargs: object
) -> AsyncIterator[aiohttp.StreamReader]:
    async with asyncio.timeout(LIMIT_S), http.get(url, **kwargs) as answer:  # type: ignore[arg-type]
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        yield answer.content


async def next_event(stream: aiohttp.StreamReader) -> dict[str, str]:
    event: dict[str, str] = {}
    while line := (await stream.readline()).decode().rstrip("\n"):
        name, _, value = line.partition(": ")
        event[name] = value
    return event


async def rest(stream: aiohttp.StreamReader) -> list[tuple[str, str]]:
    events = []
    while not stream.at_eof():
        event = await next_event(stream)
        if "id" in event:
            events.append((event["id"], event["event"]))
    return events


async def end(api: Api, job_id: UUID) -> None:
    await api.worker.end(
        JobEnd(job_id=job_id, status=JobStatus.COMPLETED, finished_at=datetime.now(UTC), result="{}")
    )


async def test_events_arrive_as_they_happen_and_the_stream_ends_with_the_job(api: Api):
    job = await submit(api, "sim/silent")
    job_id = parse_public_id("job", job["id"])
    async with following(api.http, job["urls"]["events"]) as stream:
        assert await next_event(stream) == {"id": "1", "event": "job.queued", "data": '{"status":"queued"}'}
        await api.worker.append_event(job_id, "job.delta", '{"chunks":[{"a":1},{"a":2}]}')
        async with asyncio.timeout(1.5):  # less than the pause between two looks without news
            delta = await next_event(stream)
        assert delta == {"id": "2", "event": "job.delta", "data": '{"chunks":[{"a":1},{"a":2}]}'}
        await end(api, job_id)
        assert await rest(stream) == [("3", "job.completed")]


async def test_a_reader_resumes_after_what_it_has_on_another_ingress_after_a_restart(
    api: Api, make_settings: Callable[..., IngressSettings], alice: Tenant
):
    job = await submit(api, "sim/silent")
    job_id = parse_public_id("job", job["id"])
    for number in range(150):
        await api.worker.append_event(job_id, "job.delta", f'{{"chunks":[{number}]}}')
    async with following(api.http, job["urls"]["events"]) as stream:
        assert (await next_event(stream))["id"] == "1"
    await api.stop()
    async with serve(make_settings(), alice) as other:
        async with following(other.http, job["urls"]["events"], headers={"Last-Event-ID": "20"}) as stream:
            assert (await next_event(stream))["id"] == "21"
            await end(other, job_id)
            assert await rest(stream) == [
                *((str(number), "job.delta") for number in range(22, 152)),
                ("152", "job.completed"),
            ]
        async with following(other.http, f"{job['urls']['events']}?after=150") as stream:
            assert [number for number, _ in await rest(stream)] == ["151", "152"]
        async with other.http.get(f"{job['urls']['events']}?after=152") as answer:
            assert answer.status == 204


async def test_news_that_nobody_hears_of_is_found_by_all_who_wait(api: Api, rows: Rows):
    jobs = [await submit(api, "sim/silent") for _ in range(3)]
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        streams = [
            await stack.enter_async_context(following(api.http, job["urls"]["events"])) for job in jobs
        ]
        for stream in streams:
            assert (await next_event(stream))["id"] == "1"
        polls = [tasks.create_task(get(api, f"{job['urls']['self']}?wait=30")) for job in jobs]
        for job in jobs:
            end_silently(rows, parse_public_id("job", job["id"]))
        async with asyncio.timeout(LIMIT_S):
            assert [await rest(stream) for stream in streams] == [[("2", "job.cancelled")]] * 3
            assert [(await poll)[1]["status"] for poll in polls] == ["cancelled"] * 3


def end_silently(rows: Rows, job_id: UUID) -> None:
    rows.execute(
        """WITH ended AS (UPDATE jobs SET status = 'cancelled', last_event = 2, finished_at = now()
                          WHERE id = %s RETURNING id, tenant_id)
           INSERT INTO job_events (job_id, sequence, tenant_id, type, data)
           SELECT id, 2, tenant_id, 'job.cancelled', '{}' FROM ended""",
        (job_id,),
    )


async def test_a_silent_stream_is_kept_open_by_comments(
    make_settings: Callable[..., IngressSettings], alice: Tenant
):
    async with serve(make_settings(keep_alive_s=0.1), alice) as api:
        job = await submit(api, "sim/silent")
        async with following(api.http, job["urls"]["events"]) as stream:
            await next_event(stream)
            assert await stream.readline() == b": keep-alive\n"


async def test_stopping_ends_event_streams_and_long_polls_at_once(api: Api):
    job = await submit(api, "sim/silent")
    async with following(api.http, job["urls"]["events"]) as stream, asyncio.TaskGroup() as tasks:
        await next_event(stream)
        poll = tasks.create_task(_status(api, f"{job['urls']['self']}?wait=30"))
        await asyncio.wait([poll], timeout=0.2)
        async with asyncio.timeout(2):
            await api.stop()
            assert await rest(stream) == []
            assert await poll == 200


async def _status(api: Api, path: str) -> int:
    async with api.http.get(path) as answer:
        return answer.status


async def test_a_position_that_is_none_is_refused(api: Api):
    job = await submit(api, "sim/silent")
    for after in ("-1", "x", "99999999999"):
        async with api.http.get(f"{job['urls']['events']}?after={after}") as answer:
            assert answer.status == 422
