"""``Idempotency-Key`` on the routes that create something else than jobs, and on a retry."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import aiohttp
import psycopg

from shared.contracts.ids import parse_public_id
from shared.contracts.jobs import JobStatus
from shared.storage.transitions import JobEnd
from tests.integration.ingress.conftest import Api, Tenant
from tests.integration.ingress.test_batches import submission
from tests.integration.ingress.test_job_changes import ended

ENDPOINT = {"url": "https://hooks.example.com/", "events": ["batch.*"]}
Answer = tuple[int, Any, bool]


async def post(http: aiohttp.ClientSession, path: str, body: Any, key: str) -> Answer:
    async with http.post(path, json=body, headers={"Idempotency-Key": key}) as answer:
        replayed = answer.headers.get("Idempotent-Replayed") == "true"
        if answer.status == 201:
            assert answer.headers["Location"] == f"{path}/{(await answer.json())['id']}"
        return answer.status, await answer.json(), replayed


async def test_many_requests_with_one_key_create_one_batch(api: Api) -> None:
    file = await api.openai.files.create(file=("in.jsonl", b"{}\n"), purpose="batch")
    wanted = submission(input_file_id=file.id, metadata={"test": "once"})
    answers = await asyncio.gather(*(post(api.http, "/v1/batches", wanted, "batch-1") for _ in range(5)))
    assert [status for status, _, _ in answers] == [200] * 5
    assert len({answer["id"] for _, answer, _ in answers}) == 1
    assert sum(replayed for _, _, replayed in answers) == 4
    made = [batch async for batch in api.openai.batches.list() if batch.metadata == {"test": "once"}]
    assert len(made) == 1
    status, answer, _ = await post(api.http, "/v1/batches", {**wanted, "metadata": None}, "batch-1")
    assert (status, answer["error"]["code"]) == (422, "idempotency_key_reused")


async def test_a_batch_that_was_refused_gives_its_key_back(api: Api) -> None:
    assert (await post(api.http, "/v1/batches", submission(), "batch-2"))[0] == 404
    file = await api.openai.files.create(file=("in.jsonl", b"{}\n"), purpose="batch")
    wanted = submission(input_file_id=file.id)
    assert (await post(api.http, "/v1/batches", wanted, "batch-2"))[::2] == (200, False)


async def test_a_repeat_gets_the_secret_of_its_endpoint_until_that_is_replaced(
    api: Api, bob: Tenant, rows: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    path = "/v1/webhook_endpoints"
    first = await post(api.http, path, ENDPOINT, "endpoint-1")
    assert first[1]["secret"].startswith("whsec_")
    assert await post(api.http, path, ENDPOINT, "endpoint-1") == (201, first[1], True)
    kept = rows.execute("SELECT DISTINCT answer FROM idempotency_keys WHERE key = 'endpoint-1'").fetchall()
    assert kept == [(None,)]
    async with aiohttp.ClientSession(api.url, headers={"Authorization": f"Bearer {bob.api_key}"}) as http:
        status, of_bob, replayed = await post(http, path, ENDPOINT, "endpoint-1")
    assert (status, replayed) == (201, False)
    assert of_bob["id"] != first[1]["id"]
    assert of_bob["secret"] != first[1]["secret"]
    async with api.http.post(f"{path}/{first[1]['id']}/rotate-secret", json={"overlap_s": 0}) as answer:
        assert answer.status == 200
    status, again, replayed = await post(api.http, path, ENDPOINT, "endpoint-1")
    assert (status, again["id"], again["secret"], replayed) == (201, first[1]["id"], None, True)


async def test_a_retry_with_a_key_is_one_retry(api: Api) -> None:
    job = await ended(api, JobStatus.FAILED, max_attempts=9)
    first = await post(api.http, job["urls"]["retry"], {}, "retry-1")
    assert (first[0], first[1]["attempt"], first[2]) == (200, 2, False)
    assert await post(api.http, job["urls"]["retry"], {}, "retry-1") == (200, first[1], True)
    end = JobEnd(
        job_id=parse_public_id("job", job["id"]), status=JobStatus.FAILED, finished_at=datetime.now(UTC)
    )
    assert await api.worker.end(end)
    assert await post(api.http, job["urls"]["retry"], {}, "retry-1") == (200, first[1], True)
    again = await post(api.http, job["urls"]["retry"], {}, "retry-2")
    assert (again[0], again[1]["attempt"], again[2]) == (200, 3, False)
    refused = await post(api.http, job["urls"]["retry"], {}, "retry-3")
    assert (refused[0], refused[1]["error"]["code"]) == (409, "job_open")
