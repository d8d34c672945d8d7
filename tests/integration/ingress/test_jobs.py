"""Background jobs: accepted, looked at, listed, fetched, cancelled; and nobody else's."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import psycopg
import pytest

from shared.contracts.ids import parse_public_id
from shared.contracts.jobs import JobStatus
from shared.storage.transitions import JobEnd
from tests.integration.ingress.conftest import Api, Tenant, eventually, hello, make_tenant

LIMIT_S = 10
CHAT = "/v1/chat/completions"
Rows = psycopg.Connection[tuple[Any, ...]]


async def submit(api: Api, model: str = "sim/echo", **fields: Any) -> dict[str, Any]:
    body = {"operation": "chat", "input": hello(model), **fields}
    async with api.http.post("/v1/jobs", json=body) as answer:
        assert answer.status == 202, await answer.text()
        return dict(await answer.json())


async def get(api: Api, path: str) -> tuple[int, Any]:
    async with api.http.get(path) as answer:
        return answer.status, await answer.json()


async def test_a_job_is_accepted_run_and_its_result_fetched(api: Api):
    body = {"operation": "chat", "input": hello(), "metadata": {"order": 7}, "lane": "batch"}
    async with api.http.post("/v1/jobs", json=body) as answer:
        assert answer.status == 202
        job = await answer.json()
        assert answer.headers["Location"] == job["urls"]["self"] == f"/v1/jobs/{job['id']}"
        assert answer.headers["X-Job-Id"] == job["id"]
    assert (job["object"], job["status"], job["lane"]) == ("job", "queued", "batch")
    assert job["metadata"] == {"order": 7}
    assert job["usage"] is None
    status, done = await get(api, f"{job['urls']['self']}?wait=10")
    assert (status, done["status"]) == (200, "completed")
    assert done["usage"] == {
        "input_tokens": 3,
        "output_tokens": 2,
        "cached_tokens": 0,
        "total_tokens": 5,
        "cost_microusd": 5,
    }
    status, result = await get(api, job["urls"]["result"])
    assert (status, result["choices"][0]["message"]["content"]) == (200, "hello dear world")
    request = api.worker.requests[-1]
    assert (request.background, request.max_attempts, request.lane) == (True, 3, "batch")


async def test_a_published_job_is_marked_so_that_the_sweep_leaves_it(api: Api, rows: Rows):
    job = await submit(api, "sim/silent")
    job_id = parse_public_id("job", job["id"])

    async def marked() -> bool:
        row = rows.execute("SELECT published_at FROM outbox WHERE job_id = %s", (job_id,)).fetchone()
        return row is not None and row[0] is not None

    await eventually(marked)


async def test_a_deadline_is_seconds_or_a_moment(api: Api):
    moment = datetime.now(UTC) + timedelta(seconds=90)
    for deadline in (90, moment.isoformat(), moment.strftime("%Y-%m-%dT%H:%M:%SZ")):
        job = await submit(api, "sim/silent", deadline=deadline)
        assert abs(job["deadline_at"] - moment.timestamp()) < 10


async def test_a_result_that_is_not_there_yet_is_a_conflict_that_says_when_to_ask(api: Api):
    job = await submit(api, "sim/silent")
    async with api.http.get(job["urls"]["result"]) as answer:
        assert answer.status == 409
        assert answer.headers["Retry-After"] == "1"
        assert (await answer.json())["error"]["code"] == "job_not_finished"


async def test_a_failed_job_has_its_failure_as_result(api: Api):
    job = await submit(api, "sim/fail")
    async with api.http.get(f"{job['urls']['result']}?wait=10") as answer:
        assert answer.status == 429
        assert answer.headers["Retry-After"] == "7"
        assert (await answer.json())["error"]["code"] == "provider_rate_limited"
    _, shown = await get(api, job["urls"]["self"])
    assert (shown["status"], shown["error"]["code"]) == ("failed", "provider_rate_limited")


async def test_an_incomplete_job_is_an_error_with_what_arrived(api: Api):
    job = await submit(api, "sim/cut")
    status, body = await get(api, f"{job['urls']['result']}?wait=10")
    assert status == 502
    assert body["error"]["code"] == "provider_protocol_error"
    assert body["partial"]["object"] == "chat.completion"


async def test_a_long_poll_returns_when_the_job_ends_and_no_later(api: Api):
    api.worker.go_on.clear()
    job = await submit(api)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(get(api, f"{job['urls']['self']}?wait=30"))
        await asyncio.wait([waiting], timeout=0.2)
        assert not waiting.done()
        api.worker.go_on.set()
        async with asyncio.timeout(1.5):  # less than the pause between two looks without news
            status, done = await waiting
    assert (status, done["status"]) == (200, "completed")


async def test_a_long_poll_ends_with_the_job_as_it_is(api: Api):
    job = await submit(api, "sim/silent")
    status, shown = await get(api, f"{job['urls']['self']}?wait=0.2")
    assert (status, shown["status"]) == (200, "queued")


async def test_any_inference_route_accepts_a_job_when_asked_to(api: Api):
    async with api.http.post(CHAT, json=hello(), headers={"Prefer": "respond-async"}) as answer:
        assert answer.status == 202
        assert answer.headers["Preference-Applied"] == "respond-async"
        assert answer.headers["Location"].startswith("/v1/jobs/job_")
        assert answer.headers["X-Penstock-Lane"] == "standard"
    async with api.http.post(
        "/v1/embeddings",
        json={"model": "sim/echo", "input": "a"},
        headers={"Prefer": "respond-async, wait=10"},
    ) as answer:
        assert answer.status == 200
        assert answer.headers["Preference-Applied"] == "respond-async, wait=10"
        assert (await answer.json())["data"][0]["embedding"] == [0.5, 0.25]
    async with api.http.post(
        CHAT, json=hello("sim/silent"), headers={"Prefer": "respond-async, wait=1"}
    ) as answer:
        assert answer.status == 202


async def test_a_job_goes_on_when_its_submitter_leaves(api: Api):
    api.worker.go_on.clear()
    with pytest.raises(TimeoutError):
        await api.http.post(
            CHAT,
            json=hello(),
            headers={"Prefer": "respond-async, wait=10"},
            timeout=aiohttp.ClientTimeout(total=0.3),
        )
    async with asyncio.timeout(LIMIT_S):
        job_id = (await api.worker.seen.get()).job_id
    api.worker.go_on.set()
    status, done = await get(api, f"/v1/jobs/job_{job_id.hex}?wait=10")
    assert (status, done["status"]) == (200, "completed")
    assert api.worker.cancelled.empty()


async def test_cancelling_ends_the_job_and_tells_the_worker(api: Api):
    job = await submit(api, "sim/silent")
    async with api.http.post(job["urls"]["cancel"]) as answer:
        assert (answer.status, (await answer.json())["status"]) == (200, "cancelled")
    async with asyncio.timeout(LIMIT_S):
        assert await api.worker.cancelled.get() == parse_public_id("job", job["id"])
    async with api.http.post(job["urls"]["cancel"]) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (409, "job_final")
    status, body = await get(api, job["urls"]["result"])
    assert (status, body["error"]["code"]) == (409, "cancelled")


async def test_of_a_cancellation_and_a_result_at_once_exactly_one_wins(api: Api):
    jobs = [await submit(api, "sim/silent") for _ in range(10)]

    async def cancel(job: dict[str, Any]) -> bool:
        async with api.http.post(job["urls"]["cancel"]) as answer:
            return answer.status == 200

    async def complete(job: dict[str, Any]) -> bool:
        job_id = parse_public_id("job", job["id"])
        return await api.worker.end(
            JobEnd(job_id=job_id, status=JobStatus.COMPLETED, finished_at=datetime.now(UTC), result="{}")
        )

    outcomes = await asyncio.gather(*(asyncio.gather(cancel(job), complete(job)) for job in jobs))
    for job, (cancelled, completed) in zip(jobs, outcomes, strict=True):
        assert cancelled != completed
        _, shown = await get(api, job["urls"]["self"])
        assert shown["status"] == ("cancelled" if cancelled else "completed")


async def test_jobs_are_listed_in_pages_and_by_filters(api: Api, database_url: str):
    dora = make_tenant(database_url)
    headers = {"Authorization": f"Bearer {dora.api_key}"}
    began = int(time.time())
    async with aiohttp.ClientSession(api.url, headers=headers) as http:
        for number in range(5):
            model = "sim/echo" if number % 2 else "sim/silent"
            async with http.post("/v1/jobs", json={"operation": "chat", "input": hello(model)}) as answer:
                assert answer.status == 202

        async def listed(query: str) -> dict[str, Any]:
            async with http.get(f"/v1/jobs?{query}") as page:
                assert page.status == 200, await page.text()
                return dict(await page.json())

        everything = await listed("")
        ids = [job["id"] for job in everything["data"]]
        assert len(ids) == 5
        assert ids == sorted(ids, reverse=True)
        assert everything["has_more"] is False
        pages, after = [], ""
        for _ in range(3):
            page = await listed(f"limit=2{after}")
            assert page["first_id"] == page["data"][0]["id"]
            pages += [job["id"] for job in page["data"]]
            after = f"&after={page['last_id']}"
        assert pages == ids
        assert page["has_more"] is False
        assert len((await listed("model=sim/silent"))["data"]) == 3
        assert len((await listed("operation=image"))["data"]) == 0
        assert len((await listed("status=queued,in_progress&model=sim/silent"))["data"]) == 3
        assert len((await listed(f"created_after={began}"))["data"]) == 5
        assert len((await listed(f"created_before={began}"))["data"]) == 0
        assert len((await listed("created_after=2020-01-01T00:00:00+00:00&background=true"))["data"]) == 5


async def test_another_tenants_job_does_not_exist(api: Api, bob: Tenant):
    job = await submit(api)
    await get(api, f"{job['urls']['self']}?wait=10")
    headers = {"Authorization": f"Bearer {bob.api_key}"}
    async with aiohttp.ClientSession(api.url, headers=headers) as http:
        for method, path in (
            ("GET", job["urls"]["self"]),
            ("GET", f"{job['urls']['self']}?wait=1"),
            ("GET", job["urls"]["result"]),
            ("GET", job["urls"]["events"]),
            ("POST", job["urls"]["cancel"]),
        ):
            async with http.request(method, path) as answer:
                assert answer.status == 404
                assert job["id"] not in str(answer.headers)
        for query in ("", f"?after={job['id']}", "?model=sim/echo"):
            async with http.get(f"/v1/jobs{query}") as answer:
                assert (await answer.json())["data"] == []


async def test_concurrent_submissions_of_several_tenants_share_commits_and_stay_apart(
    api: Api, rows: Rows, database_url: str
):
    tenants = [make_tenant(database_url) for _ in range(4)]

    async def submit_as(tenant: Tenant) -> str:
        headers = {"Authorization": f"Bearer {tenant.api_key}"}
        body = {"operation": "chat", "input": hello("sim/silent"), "metadata": {"of": str(tenant.id)}}
        async with api.http.post("/v1/jobs", json=body, headers=headers) as answer:
            assert answer.status == 202
            return str((await answer.json())["id"])

    ids = await asyncio.gather(*(submit_as(tenants[number % 4]) for number in range(200)))
    assert len(set(ids)) == 200
    found = rows.execute(
        """SELECT count(*), count(DISTINCT j.xmin::text), bool_and(j.metadata->>'of' = j.tenant_id::text),
                  bool_and(e.tenant_id = j.tenant_id)
           FROM jobs j JOIN job_events e ON e.job_id = j.id AND e.sequence = 1 AND e.type = 'job.queued'
           WHERE j.id = ANY(%s)""",
        ([parse_public_id("job", job_id) for job_id in ids],),
    ).fetchone()
    assert found is not None
    jobs, commits, own_metadata, own_events = found
    assert (jobs, own_metadata, own_events) == (200, True, True)
    assert commits < 100
    async with asyncio.timeout(LIMIT_S):
        seen = {(await api.worker.seen.get()).job_id for _ in range(200)}
    assert len(seen) == 200
