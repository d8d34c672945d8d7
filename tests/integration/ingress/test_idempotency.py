"""``Idempotency-Key``: the same request is the same work, whatever happens to its answer."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import psycopg
import pytest

from services.ingress.settings import IngressSettings
from shared.contracts.ids import parse_public_id
from tests.integration.ingress.conftest import Api, Tenant, hello, serve

CHAT = "/v1/chat/completions"
LIMIT_S = 10
Rows = psycopg.Connection[tuple[Any, ...]]


def job(model: str = "sim/silent", **fields: Any) -> dict[str, Any]:
    return {"operation": "chat", "input": hello(model), **fields}


async def post(
    api: Api, path: str, body: Any, key: str, **headers: str
) -> tuple[int, Any, "aiohttp.typedefs.CIMultiDictProxy[str]"]:
    async with api.http.post(path, json=body, headers={"Idempotency-Key": key, **headers}) as answer:
        return answer.status, await answer.json(), answer.headers


def jobs_in(rows: Rows, ids: set[str]) -> int:
    found = rows.execute(
        "SELECT count(*) FROM jobs WHERE id = ANY(%s)", ([parse_public_id("job", one) for one in ids],)
    ).fetchone()
    assert found is not None
    return int(found[0])


async def test_the_same_request_gets_the_same_job_and_the_same_answer(api: Api):
    body = job(metadata={"a": [1.5, "x"]}, deadline=500, webhook="https://example.com/hook")
    first = await post(api, "/v1/jobs", body, "key-same")
    assert "Idempotent-Replayed" not in first[2]
    assert first[1]["webhook"] == {"url": "https://example.com/hook", "events": None}
    async with api.http.post(first[1]["urls"]["cancel"]) as cancelled:
        assert (cancelled.status, (await cancelled.json())["webhook"]) == (200, first[1]["webhook"])
    second = await post(api, "/v1/jobs", body, "key-same")
    assert (first[0], first[1]) == (second[0], second[1])
    assert second[2]["Idempotent-Replayed"] == "true"
    for header in ("X-Job-Id", "Location", "X-Penstock-Lane"):
        assert first[2][header] == second[2][header]


async def test_a_hundred_posts_at_once_on_two_ingresses_are_one_job(
    api: Api, make_settings: Callable[..., IngressSettings], alice: Tenant, rows: Rows
):
    async with serve(make_settings(), alice) as other:
        body, others = job(), [job(metadata={"n": n}) for n in range(20)]
        posts = [post((api, other)[n % 2], "/v1/jobs", body, "key-hundred") for n in range(100)]
        beside = [post((api, other)[n % 2], "/v1/jobs", one, f"beside-{n}") for n, one in enumerate(others)]
        answers = await asyncio.gather(*posts, *beside)
    assert {status for status, _, _ in answers} == {202}
    assert len({answer["id"] for _, answer, _ in answers[:100]}) == 1
    assert sum("Idempotent-Replayed" not in headers for _, _, headers in answers[:100]) == 1
    ids = {answer["id"] for _, answer, _ in answers}
    assert jobs_in(rows, ids) == len(ids) == 21


async def test_another_body_or_route_is_refused_and_another_tenants_key_is_another(api: Api, bob: Tenant):
    _, first, _ = await post(api, "/v1/jobs", job(), "key-other")
    for path, body in (("/v1/jobs", job(lane="batch")), (CHAT, hello()), ("/v1/jobs", {"nonsense": 1})):
        status, answer, headers = await post(api, path, body, "key-other")
        assert (status, answer["error"]["code"]) == (422, "idempotency_key_reused")
        assert answer["error"]["param"] == "Idempotency-Key"
        assert "X-Job-Id" not in headers
    authorization = {"Authorization": f"Bearer {bob.api_key}"}
    status, own, headers = await post(api, "/v1/jobs", job(), "key-other", **authorization)
    assert (status, "Idempotent-Replayed" in headers) == (202, False)
    assert own["id"] != first["id"]


async def test_what_is_no_key_is_refused_and_creates_nothing(api: Api):
    for key in ("", " ", "x" * 256, "a b", '""', "schlüssel", "tab\there"):
        for path, body in (("/v1/jobs", job()), ("/v1/jobs/batch", {"jobs": [job()]}), (CHAT, hello())):
            status, answer, headers = await post(api, path, body, key)
            assert (status, answer["error"]["param"]) == (400, "Idempotency-Key"), key
            assert "X-Job-Id" not in headers


async def test_a_key_may_be_long_or_quoted(api: Api):
    _, first, _ = await post(api, "/v1/jobs", job(), "k" * 255)
    assert (await post(api, "/v1/jobs", job(), f'"{"k" * 255}"'))[1]["id"] == first["id"]


async def test_a_request_that_was_refused_does_not_use_up_its_key(api: Api):
    status, _, _ = await post(api, "/v1/jobs", job("nobody/has-it"), "key-refused")
    assert status == 404
    assert (await post(api, "/v1/jobs", job(), "key-refused"))[0] == 202


async def test_a_replay_needs_nothing_that_was_only_right_then(api: Api, rows: Rows):
    body = job(deadline=500)
    _, first, _ = await post(api, "/v1/jobs", body, "key-then")
    _, again, _ = await post(
        api, "/v1/jobs", body, "key-then", **{"Cancel-After": "Sun, 06 Nov 1994 08:49:37 GMT"}
    )
    assert again == first


async def test_a_synchronous_call_is_made_once_and_answered_twice(api: Api):
    first = await post(api, CHAT, hello(), "key-sync")
    second = await post(api, CHAT, hello(), "key-sync")
    assert (first[0], first[1]) == (second[0], second[1])
    assert first[1]["choices"][0]["message"]["content"] == "hello dear world"
    assert second[2]["Idempotent-Replayed"] == "true"
    assert first[2]["X-Job-Id"] == second[2]["X-Job-Id"]
    assert first[2]["X-Penstock-Lane"] == "interactive"
    assert len(api.worker.requests) == 1


async def test_an_answer_is_told_again_after_the_time_of_its_call(api: Api):
    first = await post(api, CHAT, hello(), "key-late", **{"Cancel-After": "30"})
    past = "2020-01-01T00:00:00Z"
    again = await post(api, CHAT, hello(), "key-late", **{"Cancel-After": past})
    assert (first[0], again[0], again[1]) == (200, 200, first[1])
    assert (await post(api, CHAT, hello(), "key-never", **{"Cancel-After": past}))[0] == 422


async def test_a_failure_is_the_same_failure_again(api: Api):
    first = await post(api, CHAT, hello("sim/fail"), "key-fail")
    second = await post(api, CHAT, hello("sim/fail"), "key-fail")
    assert first[0] == second[0] == 429
    assert first[1] == second[1]
    assert len(api.worker.requests) == 1


async def test_a_repeat_while_the_first_runs_waits_for_the_same_answer(api: Api):
    api.worker.go_on.clear()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await post(api, CHAT, hello(), "key-wait")
    async with asyncio.TaskGroup() as tasks:
        repeats = [tasks.create_task(post(api, CHAT, hello(), "key-wait")) for _ in range(3)]
        async with asyncio.timeout(LIMIT_S):
            await api.worker.seen.get()
        api.worker.go_on.set()
    answers = [repeat.result() for repeat in repeats]
    assert {status for status, _, _ in answers} == {200}
    assert all(headers["Idempotent-Replayed"] == "true" for _, _, headers in answers)
    assert api.worker.cancelled.empty()
    assert len(api.worker.requests) == 1


async def test_a_call_with_a_key_may_be_asked_for_later_instead(api: Api):
    first = await post(api, CHAT, hello(), "key-shape")
    status, later, headers = await post(api, CHAT, hello(), "key-shape", Prefer="respond-async")
    assert (status, later["id"]) == (202, first[2]["X-Job-Id"])
    assert headers["Preference-Applied"] == "respond-async"
