"""What callers change in jobs: retry, bulk cancel and retry, erasure; each only in their own jobs."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
import psycopg
import pytest

from shared.contracts.ids import parse_public_id
from shared.contracts.jobs import JobStatus, Usage
from shared.storage.transitions import JobEnd
from tests.integration.ingress.conftest import Api, Tenant, hello, make_tenant
from tests.integration.ingress.test_events import following, next_event, rest
from tests.integration.ingress.test_jobs import get, submit

Rows = psycopg.Connection[tuple[Any, ...]]
ENDED_BADLY = (JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED, JobStatus.INCOMPLETE)


async def post(http: aiohttp.ClientSession, path: str, body: Any = None) -> tuple[int, Any]:
    async with http.post(path, json=body) as answer:
        return answer.status, await answer.json()


async def ended(api: Api, status: JobStatus, **fields: Any) -> dict[str, Any]:
    job = await submit(api, "sim/silent", **fields)
    usage = Usage(input_tokens=3, output_tokens=2, cost_microusd=5)
    end = JobEnd(
        job_id=parse_public_id("job", job["id"]),
        status=status,
        finished_at=datetime.now(UTC),
        usage=usage,
        result='{"half":' if status is JobStatus.INCOMPLETE else None,
    )
    assert await api.worker.end(end)
    return job


def outbox(rows: Rows, job: dict[str, Any]) -> tuple[Any, ...] | None:
    return rows.execute(
        "SELECT attempt, publication, published_at FROM outbox WHERE job_id = %s",
        (parse_public_id("job", job["id"]),),
    ).fetchone()


@pytest.mark.parametrize("status", ENDED_BADLY)
async def test_a_job_that_ended_badly_is_queued_again_as_its_next_attempt(
    status: JobStatus, api: Api, rows: Rows
) -> None:
    job = await ended(api, status, max_attempts=3)
    code, again = await post(api.http, f"/v1/jobs/{job['id']}/retry")
    assert code == 200
    assert (again["id"], again["status"], again["attempt"]) == (job["id"], "queued", 2)
    assert (again["max_attempts"], again["error"], again["finished_at"]) == (3, None, None)
    assert again["last_event"] == 3
    assert outbox(rows, job) == (2, 1, None)
    assert (await get(api, job["urls"]["result"]))[0] == 409
    assert (await post(api.http, f"/v1/jobs/{job['id']}/retry"))[1]["error"]["code"] == "job_open"


async def test_usage_of_all_attempts_adds_up(api: Api) -> None:
    job = await ended(api, JobStatus.FAILED)
    await post(api.http, job["urls"]["retry"])
    end = JobEnd(
        job_id=parse_public_id("job", job["id"]),
        status=JobStatus.COMPLETED,
        finished_at=datetime.now(UTC),
        usage=Usage(input_tokens=10, output_tokens=1, cost_microusd=2),
        result="{}",
    )
    assert await api.worker.end(end)
    usage = (await get(api, job["urls"]["self"]))[1]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["cost_microusd"]) == (13, 3, 7)


async def test_a_retry_may_set_how_often_and_how_long(api: Api) -> None:
    job = await ended(api, JobStatus.FAILED, max_attempts=1, deadline=100)
    _, again = await post(api.http, job["urls"]["retry"], {"max_attempts": 4, "deadline": 50})
    assert (again["attempt"], again["max_attempts"]) == (2, 5)
    assert abs(again["deadline_at"] - datetime.now(UTC).timestamp() - 50) < 10
    job = await ended(api, JobStatus.EXPIRED, max_attempts=1, deadline=100)
    _, again = await post(api.http, job["urls"]["retry"])
    assert again["max_attempts"] == 2
    assert abs(again["deadline_at"] - datetime.now(UTC).timestamp() - 86_400) < 10


BAD_TERMS: list[tuple[Any, str | None]] = [
    ({"max_attempts": 0}, "max_attempts"),
    ({"max_attempts": True}, "max_attempts"),
    ({"max_attempts": 10**30}, "max_attempts"),
    ({"deadline": -1}, "deadline"),
    ({"deadline": "tomorrow"}, "deadline"),
    ({"until": 1}, "until"),
    ([], None),
]


async def test_terms_that_cannot_be_used_are_refused(api: Api) -> None:
    job = await ended(api, JobStatus.FAILED)
    for body, param in BAD_TERMS:
        code, answer = await post(api.http, job["urls"]["retry"], body)
        assert (code in (400, 422), answer["error"]["param"]) == (True, param), body


async def test_a_completed_job_and_the_record_of_a_synchronous_call_are_not_retried(
    api: Api, rows: Rows
) -> None:
    job = await ended(api, JobStatus.COMPLETED)
    code, answer = await post(api.http, job["urls"]["retry"])
    assert (code, answer["error"]["code"]) == (409, "job_not_retryable")
    failed = await ended(api, JobStatus.FAILED)
    rows.execute("UPDATE jobs SET background = false WHERE id = %s", (parse_public_id("job", failed["id"]),))
    code, answer = await post(api.http, failed["urls"]["retry"])
    assert (code, answer["error"]["code"]) == (409, "job_not_retryable")


async def test_of_many_retries_at_once_one_counts(api: Api, rows: Rows) -> None:
    job = await ended(api, JobStatus.FAILED)
    answers = await asyncio.gather(*(post(api.http, job["urls"]["retry"]) for _ in range(20)))
    assert sorted(code for code, _ in answers) == [200] + [409] * 19
    assert (await get(api, job["urls"]["self"]))[1]["attempt"] == 2


async def test_whoever_saw_the_end_goes_on_after_it_with_the_events_of_the_retry(api: Api) -> None:
    job = await ended(api, JobStatus.FAILED)
    events = job["urls"]["events"]
    async with api.http.get(events, headers={"Last-Event-ID": "2"}) as answer:
        assert answer.status == 204
    await post(api.http, job["urls"]["retry"])
    async with following(api.http, events, headers={"Last-Event-ID": "2"}) as stream:
        event = await next_event(stream)
        assert (event["id"], event["event"]) == ("3", "job.retrying")
        assert '"attempt" : 2' in event["data"]
        await api.worker.end(
            JobEnd(
                job_id=parse_public_id("job", job["id"]),
                status=JobStatus.COMPLETED,
                finished_at=datetime.now(UTC),
                result="{}",
            )
        )
        assert await rest(stream) == [("4", "job.completed")]


async def test_many_jobs_are_cancelled_by_a_filter_in_bounded_steps(
    api: Api,
) -> None:
    wanted = {"filter": {"metadata": {"run": "bulk"}, "status": ["queued", "in_progress"]}, "limit": 2}
    jobs = [await submit(api, "sim/silent", metadata={"run": "bulk", "n": n}) for n in range(5)]
    other = await submit(api, "sim/silent", metadata={"run": "other"})
    _, dry = await post(api.http, "/v1/jobs/cancel", {**wanted, "dry_run": True})
    assert (dry["count"], dry["has_more"]) == (2, True)
    assert dry["job_ids"] == [jobs[4]["id"], jobs[3]["id"]]
    found, after = [], None
    while True:
        code, done = await post(api.http, "/v1/jobs/cancel", {**wanted, "after": after})
        assert (code, done["object"], done["action"]) == (200, "job.bulk_action", "cancel")
        found += done["job_ids"]
        if not done["has_more"]:
            break
        after = done["last_id"]
    assert found == [job["id"] for job in reversed(jobs)]
    for job in jobs:
        assert (await get(api, job["urls"]["self"]))[1]["status"] == "cancelled"
    assert (await get(api, other["urls"]["self"]))[1]["status"] == "queued"
    async with asyncio.timeout(10):
        told = {await api.worker.cancelled.get() for _ in jobs}
    assert told == {parse_public_id("job", job["id"]) for job in jobs}


async def test_what_is_named_and_cannot_be_changed_is_said(api: Api, bob: Tenant) -> None:
    opened, done = await submit(api, "sim/silent"), await ended(api, JobStatus.COMPLETED)
    async with aiohttp.ClientSession(api.url, headers={"Authorization": f"Bearer {bob.api_key}"}) as stranger:
        _, answer = await post(stranger, "/v1/jobs/cancel", {"ids": [opened["id"]]})
        assert answer["count"] == 0
        assert [error["code"] for error in answer["errors"]] == ["not_found"]
    for dry_run in (True, False):
        ids = [opened["id"], done["id"], opened["id"]]
        _, answer = await post(api.http, "/v1/jobs/cancel", {"ids": ids, "dry_run": dry_run})
        assert answer["job_ids"] == [opened["id"]]
        assert [(error["id"], error["code"]) for error in answer["errors"]] == [(done["id"], "job_final")]
    _, answer = await post(api.http, "/v1/jobs/retry", {"ids": [opened["id"], done["id"]]})
    assert (answer["job_ids"], [error["code"] for error in answer["errors"]]) == (
        [opened["id"]],
        ["job_not_retryable"],
    )


async def test_a_bulk_retry_takes_what_failed_and_cancelled_jobs_only_when_asked(api: Api) -> None:
    metadata = {"run": "again"}
    jobs = {status: await ended(api, status, metadata=metadata) for status in JobStatus if status.final}
    _, done = await post(api.http, "/v1/jobs/retry", {"filter": {"metadata": metadata}, "max_attempts": 2})
    assert set(done["job_ids"]) == {
        jobs[status]["id"] for status in (JobStatus.FAILED, JobStatus.EXPIRED, JobStatus.INCOMPLETE)
    }
    wanted = {"filter": {"metadata": metadata, "status": "cancelled"}}
    _, done = await post(api.http, "/v1/jobs/retry", wanted)
    assert done["job_ids"] == [jobs[JobStatus.CANCELLED]["id"]]
    failed = (await get(api, jobs[JobStatus.FAILED]["urls"]["self"]))[1]
    assert (failed["status"], failed["max_attempts"]) == ("queued", 3)


async def test_nobody_changes_the_jobs_of_another_tenant(api: Api, database_url: str) -> None:
    failed, opened = await ended(api, JobStatus.FAILED), await submit(api, "sim/silent")
    stranger = make_tenant(database_url)
    headers = {"Authorization": f"Bearer {stranger.api_key}"}
    async with aiohttp.ClientSession(api.url, headers=headers) as http:
        for path in (failed["urls"]["retry"], opened["urls"]["cancel"]):
            assert (await post(http, path))[0] == 404
        for action in ("cancel", "retry"):
            _, done = await post(http, f"/v1/jobs/{action}", {"filter": {}})
            assert done["count"] == 0
        async with http.delete(failed["urls"]["self"]) as answer:
            assert answer.status == 404
    assert (await get(api, failed["urls"]["self"]))[1]["status"] == "failed"
    assert (await get(api, opened["urls"]["self"]))[1]["status"] == "queued"


BAD_SELECTIONS: list[tuple[Any, str]] = [
    ({}, "ids"),
    ({"ids": ["job_0198c1f2a5b47c3d8e9f001122334455"], "filter": {}}, "ids"),
    ({"ids": []}, "ids"),
    ({"ids": "job_1"}, "ids"),
    ({"ids": ["x"]}, "ids[0]"),
    ({"ids": ["job_0198c1f2a5b47c3d8e9f001122334455"] * 1001}, "ids"),
    ({"filter": []}, "filter"),
    ({"filter": {"status": "done"}}, "filter.status"),
    ({"filter": {"status": [1]}}, "filter.status"),
    ({"filter": {"colour": "red"}}, "filter.colour"),
    ({"filter": {"metadata": "x"}}, "filter.metadata"),
    ({"filter": {"metadata": {"a": "\0"}}}, "filter.metadata"),
    ({"filter": {"metadata": orjson.loads(b'{"a":' * 300 + b"1" + b"}" * 300)}}, "filter.metadata"),
    ({"filter": {"lane": "fast"}}, "filter.lane"),
    ({"filter": {"created_after": "now"}}, "filter.created_after"),
    ({"filter": {}, "after": "x"}, "after"),
    ({"filter": {}, "limit": 0}, "limit"),
    ({"filter": {}, "limit": 10_001}, "limit"),
    ({"filter": {}, "dry_run": "yes"}, "dry_run"),
    ({"filter": {}, "deadline": 5}, "deadline"),
]


async def test_a_selection_that_cannot_be_used_is_refused(api: Api) -> None:
    for body, param in BAD_SELECTIONS:
        code, answer = await post(api.http, "/v1/jobs/cancel", body)
        assert (code in (400, 422), answer["error"]["param"]) == (True, param), body


async def test_the_contents_of_a_final_job_are_gone_when_they_are_erased_and_its_figures_stay(
    api: Api,
) -> None:
    opened = await submit(api, "sim/silent")
    async with api.http.delete(opened["urls"]["self"]) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (409, "job_open")
    job = await ended(api, JobStatus.FAILED, retention=3600)
    expires_at = (await get(api, job["urls"]["self"]))[1]["result_expires_at"]
    assert abs(expires_at - datetime.now(UTC).timestamp() - 3600) < 10
    for _ in range(2):
        async with api.http.delete(job["urls"]["self"]) as answer:
            erased = await answer.json()
            assert (answer.status, erased["result_expires_at"]) == (200, None)
    assert erased["erased_at"] is not None
    assert erased["usage"]["input_tokens"] == 3
    for path in ("result", "events"):
        code, answer = await get(api, job["urls"][path])
        assert (code, answer["error"]["code"]) == (410, "result_expired")
    assert (await post(api.http, job["urls"]["retry"]))[1]["error"]["code"] == "job_not_retryable"
    _, done = await post(api.http, "/v1/jobs/retry", {"ids": [job["id"]]})
    assert done["count"] == 0


async def test_a_retention_that_cannot_be_used_is_refused(api: Api) -> None:
    for retention in (0, -1, True, "60", 1.5, 10**9):
        body = {"operation": "chat", "input": hello(), "retention": retention}
        code, answer = await post(api.http, "/v1/jobs", body)
        assert (code in (400, 422), answer["error"]["param"]) == (True, "retention")
