"""``POST /v1/jobs/batch``: many jobs in one request, all that are right or none."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
import psycopg
import pytest

from services.ingress.adapters import bulk_commit
from services.ingress.settings import IngressSettings
from shared.contracts.ids import parse_public_id
from tests.integration.ingress.conftest import Api, Tenant, eventually, hello, serve

BATCH = "/v1/jobs/batch"
JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/x-ndjson"}
Rows = psycopg.Connection[tuple[Any, ...]]


def job(model: str = "sim/silent", **fields: Any) -> dict[str, Any]:
    return {"operation": "chat", "input": hello(model), "lane": "batch", **fields}


async def post(api: Api, body: bytes, **headers: str) -> tuple[int, Any, Any]:
    async with api.http.post(BATCH, data=body, headers={**LINES, **headers}) as answer:
        return answer.status, await answer.json(), answer.headers


def lines(*jobs: Any) -> bytes:
    return b"\n".join(orjson.dumps(one) for one in jobs)


def count(rows: Rows, answer: Any) -> int:
    ids = [parse_public_id("job", one["id"]) for one in answer["jobs"]]
    found = rows.execute("SELECT count(*) FROM jobs WHERE id = ANY(%s)", (ids,)).fetchone()
    assert found is not None
    return int(found[0])


async def test_json_and_lines_are_read_alike_and_bodies_are_kept_as_they_are(api: Api, rows: Rows):
    exact = b'{"model":"sim/silent" , "messages":[{"role":"user","content":"a \\" ]}, b"}],"top_p":0.50}'
    one = b'{"operation":"chat","input":' + exact + b',"metadata":{"n":1}}'
    status, as_json, _ = await post(api, b' {"jobs" : [ ' + one + b" , " + one + b" ] } ", **JSON)
    assert status == 202
    status, as_lines, _ = await post(api, one + b"\r\n\n  \n" + one + b"\n")
    assert status == 202
    for batch in (as_json, as_lines):
        assert (batch["object"], batch["accepted"], batch["failed"]) == ("job.batch", 2, 0)
        assert [accepted["index"] for accepted in batch["jobs"]] == [0, 1]
        for accepted in batch["jobs"]:
            job_id = parse_public_id("job", accepted["id"])
            found = rows.execute(
                "SELECT j.request, e.type FROM jobs j JOIN job_events e ON e.job_id = j.id WHERE id = %s",
                (job_id,),
            ).fetchall()
            assert found == [(exact.decode(), "job.queued")]


async def test_what_is_wrong_is_listed_by_index_and_the_rest_is_accepted(api: Api, rows: Rows):
    batch = (
        job(),
        job("nobody/has-it"),
        job(deadline=-1),
        {"operation": "chat", "input": {"model": "sim/silent", "messages": [{"content": "x"}]}},
        job(metadata={"kept": True}),
    )
    status, answer, _ = await post(api, lines(*batch) + b"\n{broken\n[]")
    assert (status, answer["accepted"], answer["failed"]) == (202, 2, 5)
    assert [accepted["index"] for accepted in answer["jobs"]] == [0, 4]
    wrong = {one["index"]: (one["error"]["code"], one["error"]["param"]) for one in answer["errors"]}
    assert wrong == {
        1: ("model_not_found", "input.model"),
        2: ("invalid_value", "deadline"),
        3: ("invalid_request", "input.messages[0].role"),
        5: ("invalid_request", None),
        6: ("invalid_request", None),
    }
    assert count(rows, answer) == 2


async def test_a_batch_of_which_nothing_is_right_is_an_error_with_the_same_lists(api: Api):
    status, answer, _ = await post(api, lines({"operation": "chat"}))
    assert (status, answer["error"]["code"], answer["accepted"]) == (422, "no_job_accepted", 0)
    assert answer["errors"][0]["error"]["param"] == "input"
    assert (await post(api, b"\n \n"))[0] == 422


async def test_json_of_another_form_is_refused_as_a_whole(api: Api):
    other = (
        b"",
        b"[]",
        b'{"jobs":{}}',
        b'{"jobs":[{}',
        b'{"jobs":[{}]} {}',
        b'{"jobs":["]}',
        b'{"jobs":[],"x":1}',
    )
    for body in other:
        status, answer, _ = await post(api, body, **JSON)
        assert (status, answer["error"]["type"]) == (400, "invalid_request_error"), body


async def test_bounds_hold_for_jobs_bytes_and_memory(
    make_settings: Callable[..., IngressSettings], alice: Tenant
):
    settings = make_settings(
        max_batch_jobs=2, max_batch_bytes=4000, max_body_bytes=1000, batch_memory_bytes=3000
    )
    async with serve(settings, alice) as api:
        status, answer, _ = await post(api, lines(job(), job(), job()))
        assert (status, answer["error"]["param"]) == (422, "jobs")
        assert (await post(api, b"x" * 4001))[0] == 413
        async with api.http.post(BATCH, data=b"x" * 3001, headers=LINES) as answer_503:
            assert (answer_503.status, answer_503.headers["Retry-After"]) == (503, "1")
        status, answer, _ = await post(api, lines(job(metadata={"long": "x" * 1000}), job()))
        assert (status, answer["errors"][0]["error"]["code"]) == (202, "payload_too_large")


async def test_large_bodies_go_to_the_object_store_and_reach_the_worker(api: Api):
    batch = [job("sim/echo", metadata={"n": n}) for n in range(3)]
    for one in batch:
        one["input"]["messages"][0]["content"] = "x" * 70_000
    _, answer, _ = await post(api, lines(*batch))
    assert answer["accepted"] == 3
    for accepted in answer["jobs"]:
        async with api.http.get(f"/v1/jobs/{accepted['id']}/result?wait=10") as result:
            assert len((await result.json())["choices"][0]["message"]["content"]) == 70_000


async def test_the_same_key_is_the_same_batch_also_at_once(api: Api, rows: Rows):
    body = lines(*(job(metadata={"n": n}) for n in range(300)), {"operation": "nonsense"})
    answers = await asyncio.gather(*(post(api, body, **{"Idempotency-Key": "batch-1"}) for _ in range(5)))
    assert {status for status, _, _ in answers} == {202}
    assert all(answer == answers[0][1] for _, answer, _ in answers)
    assert sum("Idempotent-Replayed" not in headers for _, _, headers in answers) == 1
    assert count(rows, answers[0][1]) == 300
    status, refused, _ = await post(api, body + b"\n", **{"Idempotency-Key": "batch-1"})
    assert (status, refused["error"]["code"]) == (422, "idempotency_key_reused")


async def test_a_batch_that_breaks_in_the_middle_leaves_nothing_and_its_key_free(
    api: Api, rows: Rows, monkeypatch: pytest.MonkeyPatch
):
    written: list[UUID] = []
    insert = bulk_commit.insert_jobs

    async def breaking(connection: Any, tenant_id: UUID, jobs: Any, **options: Any) -> set[UUID]:
        if written:
            rows.execute("RESET ROLE")
            rows.execute("SELECT pg_terminate_backend(%s)", (connection.get_server_pid(),))
            rows.execute("SET ROLE penstock_system")
        written.extend(job.job_id for job in jobs)
        return await insert(connection, tenant_id, jobs, **options)

    body, key = lines(*(job() for _ in range(600))), {"Idempotency-Key": "batch-broken"}
    monkeypatch.setattr(bulk_commit, "insert_jobs", breaking)
    status, answer, headers = await post(api, body, **key)
    assert (status, answer["error"]["code"]) == (503, "database_unavailable")
    assert headers["Retry-After"]
    monkeypatch.setattr(bulk_commit, "insert_jobs", insert)
    found = rows.execute("SELECT count(*) FROM jobs WHERE id = ANY(%s)", (written,)).fetchone()
    assert found == (0,)
    status, answer, headers = await post(api, body, **key)
    assert (status, answer["accepted"], "Idempotent-Replayed" in headers) == (202, 600, False)
    assert count(rows, answer) == 600


async def test_the_first_jobs_of_a_batch_are_published_at_once_and_the_rest_is_due(
    make_settings: Callable[..., IngressSettings], alice: Tenant, rows: Rows
):
    async with serve(make_settings(publications_waiting=20), alice) as api:
        _, answer, _ = await post(api, lines(*(job() for _ in range(50))))
        ids = [parse_public_id("job", accepted["id"]) for accepted in answer["jobs"]]

        async def published() -> bool:
            found = rows.execute(
                "SELECT count(*) FILTER (WHERE published_at IS NOT NULL),"
                " count(*) FILTER (WHERE published_at IS NULL AND due_at <= now())"
                " FROM outbox WHERE job_id = ANY(%s)",
                (ids,),
            ).fetchone()
            return found == (10, 40)

        await eventually(published)
