"""Every mistake gets a clear answer in the OpenAI error shape, with the ids, and never a 500."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import aiohttp
import pytest

from services.ingress.settings import IngressSettings
from tests.integration.ingress.conftest import Api, Tenant, hello, serve

CHAT = "/v1/chat/completions"


@pytest.fixture
async def small(make_settings: Callable[..., IngressSettings], alice: Tenant) -> AsyncGenerator[Api]:
    async with serve(make_settings(max_body_bytes=2000, body_timeout_s=0.5), alice) as api:
        yield api


async def error_of(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    assert answer.content_type == "application/json"
    assert answer.headers["X-Request-Id"]
    body = await answer.json()
    assert set(body["error"]) == {"message", "type", "param", "code"}
    return dict(body["error"])


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"", 400, None),
        (b"{", 400, None),
        (b"[]", 400, None),
        (b"null", 400, None),
        (b"\xff\xfe{}", 400, None),
        (b'{"model":"sim/echo","messages":[{"role":"user","content":"\\ud800"}]}', 400, None),
        (b"[" * 100_000 + b"]" * 100_000, 400, None),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, 400, None),
        (b'{"model":"sim/echo","n":1e999}', 400, None),
        (b"{}", 400, "model"),
        (b'{"model":7}', 400, "model"),
        (b'{"model":""}', 422, "model"),
        (b'{"model":"a\\u0000b"}', 422, "model"),
        (b'{"model":"sim/echo"}', 400, "messages"),
        (b'{"model":"sim/echo","messages":{}}', 400, "messages"),
        (b'{"model":"sim/echo","messages":[]}', 422, "messages"),
        (b'{"model":"sim/echo","messages":["x"]}', 400, "messages[0]"),
        (b'{"model":"sim/echo","messages":[{"role":1}]}', 400, "messages[0].role"),
        (b'{"model":"sim/echo","messages":[{"role":"user"}]}', 400, "messages[0].content"),
        (b'{"model":"sim/echo","messages":[{"role":"user","content":5}]}', 400, "messages[0].content"),
        (
            b'{"model":"sim/echo","messages":[{"role":"user","content":[{}]}]}',
            400,
            "messages[0].content[0].type",
        ),
    ],
)
async def test_a_bad_body_is_refused_with_the_field_at_fault(
    api: Api, body: bytes, status: int, param: str | None
):
    async with api.http.post(CHAT, data=body) as answer:
        assert answer.status == status
        assert (await error_of(answer))["param"] == param


@pytest.mark.parametrize(
    ("path", "fields", "status", "param"),
    [
        (CHAT, hello(stream="yes"), 400, "stream"),
        (CHAT, hello(temperature="hot"), 400, "temperature"),
        (CHAT, hello(n=True), 400, "n"),
        (CHAT, hello(stream_options={}), 400, "stream_options"),
        (CHAT, hello(stream=True, stream_options={"include_usage": 1}), 400, "stream_options.include_usage"),
        (CHAT, hello("nobody"), 404, "model"),
        (CHAT, hello("off/model"), 404, "model"),
        ("/v1/completions", {"model": "sim/echo"}, 400, "prompt"),
        ("/v1/completions", {"model": "sim/echo", "prompt": [1, "a"]}, 400, "prompt[1]"),
        ("/v1/embeddings", {"model": "sim/echo"}, 400, "input"),
        ("/v1/embeddings", {"model": "sim/echo", "input": []}, 422, "input"),
        ("/v1/embeddings", {"model": "sim/echo", "input": {"a": 1}}, 400, "input"),
        ("/v1/embeddings", {"model": "sim/echo", "input": [[1], []]}, 422, "input[1]"),
        ("/v1/images/generations", {"model": "sim/echo"}, 400, "prompt"),
        ("/v1/images/generations", {"model": "sim/echo", "prompt": "a", "stream": True}, 422, "stream"),
        ("/v1/jobs", {"operation": "chat"}, 400, "input"),
        ("/v1/jobs", {"operation": "dance", "input": {}}, 422, "operation"),
        ("/v1/jobs", {"operation": "chat", "input": {"model": "sim/echo"}}, 400, "input.messages"),
        ("/v1/jobs", {"operation": "chat", "input": hello("nobody")}, 404, "input.model"),
        ("/v1/jobs", {"operation": "chat", "input": hello(), "lane": "fast"}, 422, "lane"),
        ("/v1/jobs", {"operation": "chat", "input": hello(), "deadline": -1}, 422, "deadline"),
        ("/v1/jobs", {"operation": "chat", "input": hello(), "deadline": 1e300}, 422, "deadline"),
        (
            "/v1/jobs",
            {"operation": "chat", "input": hello(), "deadline": "2001-01-01T00:00:00Z"},
            422,
            "deadline",
        ),
        ("/v1/jobs", {"operation": "chat", "input": hello(), "deadline": "tomorrow"}, 422, "deadline"),
        ("/v1/jobs", {"operation": "chat", "input": hello(), "deadline": []}, 400, "deadline"),
        ("/v1/jobs", {"operation": "chat", "input": hello(), "metadata": "x"}, 400, "metadata"),
        ("/v1/jobs", {"operation": "chat", "input": hello(), "metadata": {"a": "\0"}}, 422, "metadata"),
        (
            "/v1/jobs",
            {"operation": "chat", "input": hello(), "metadata": {"a": "x" * 20_000}},
            422,
            "metadata",
        ),
        ("/v1/jobs", {"operation": "chat", "input": hello(), "max_attempts": 0}, 422, "max_attempts"),
        ("/v1/jobs", {"operation": "chat", "input": hello(), "max_attempts": 1.5}, 400, "max_attempts"),
        ("/v1/jobs", {"operation": "chat", "input": hello(), "priority": 1}, 400, "priority"),
    ],
)
async def test_a_value_that_cannot_be_used_is_named(
    api: Api, path: str, fields: dict[str, Any], status: int, param: str
):
    async with api.http.post(path, json=fields) as answer:
        assert answer.status == status
        assert (await error_of(answer))["param"] == param


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=ten", "limit"),
        ("after=job_1", "after"),
        ("status=done", "status"),
        ("operation=sing", "operation"),
        ("model=%00", "model"),
        ("background=1", "background"),
        ("created_after=yesterday", "created_after"),
        ("created_after=99999999999999999999", "created_after"),
        ("order=up", "order"),
    ],
)
async def test_a_filter_that_cannot_be_used_is_named(api: Api, query: str, param: str):
    async with api.http.get(f"/v1/jobs?{query}") as answer:
        assert answer.status == 422
        assert (await error_of(answer))["param"] == param


async def test_a_huge_integer_is_valid_json_and_reaches_the_provider_untouched(api: Api):
    message = b'{"role":"user","content":"x"}'
    body = b'{"model":"fast", "big":123456789012345678901234567890,"messages":[' + message + b"]}"
    async with api.http.post(CHAT, data=body) as answer:
        assert answer.status == 200
    job = b'{"operation":"chat","input": ' + body + b',"metadata":{}}'
    async with api.http.post("/v1/jobs", data=job) as answer:
        assert answer.status == 202
    async with asyncio.timeout(5):
        while len(api.worker.bodies) < 2:
            await api.worker.seen.get()
    assert api.worker.bodies == [body, body]


async def test_a_long_body_is_refused_by_its_length_and_by_its_bytes(small: Api):
    body = json.dumps(hello(filler="x" * 5000)).encode()

    async def chunked() -> AsyncGenerator[bytes]:
        for at in range(0, len(body), 500):
            yield body[at : at + 500]

    for data in (body, chunked()):
        async with small.http.post(CHAT, data=data) as answer:
            assert answer.status == 413
            assert (await error_of(answer))["code"] == "payload_too_large"


async def test_a_body_that_does_not_come_is_given_up(small: Api):
    async def slow() -> AsyncGenerator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with small.http.post(CHAT, data=slow()) as answer:
        assert answer.status == 408


async def test_paths_and_methods_that_do_not_exist_answer_in_the_same_shape(api: Api):
    for method, path, status in (
        ("GET", "/v1/nothing", 404),
        ("GET", "/nothing", 404),
        ("GET", CHAT, 405),
        ("DELETE", "/v1/jobs", 405),
        ("POST", f"{CHAT}/", 404),
        ("GET", "/v1/jobs/job_1", 404),
        ("GET", f"/v1/jobs/job_{'0' * 32}", 404),
        ("GET", f"/v1/jobs/job_{'0' * 32}/result", 404),
        ("GET", f"/v1/jobs/job_{'0' * 32}/events", 404),
        ("POST", f"/v1/jobs/job_{'0' * 32}/cancel", 404),
        ("GET", "/v1/models/nobody/knows", 404),
        ("GET", "/v1/models/a%00b", 404),
    ):
        async with api.http.request(method, path, allow_redirects=False) as answer:
            assert (method, path, answer.status) == (method, path, status)
            await error_of(answer)


@pytest.mark.parametrize("wait", ["-1", "soon", "nan", "inf"])
async def test_a_wait_that_is_no_time_is_refused(api: Api, wait: str):
    async with api.http.get(f"/v1/jobs/job_{'0' * 32}?wait={wait}") as answer:
        assert answer.status == 422
        assert (await error_of(answer))["param"] == "wait"


async def test_a_preference_to_wait_that_is_no_time_is_refused(api: Api):
    async with api.http.post(CHAT, json=hello(), headers={"Prefer": "respond-async, wait=x"}) as answer:
        assert answer.status == 400


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic abc"},
        {"Authorization": "Bearer sk-penstock-0123456789abcdef-" + "x" * 43},
        {"x-api-key": "sk-other"},
    ],
)
async def test_without_a_valid_key_nothing_below_v1_answers(api: Api, headers: dict[str, str]):
    async with aiohttp.ClientSession(api.url, headers=headers) as anybody:
        for path in ("/v1/models", "/v1/jobs", "/v1/nothing"):
            async with anybody.get(path) as answer:
                assert answer.status == 401
                assert answer.headers["WWW-Authenticate"] == "Bearer"
                await error_of(answer)


async def test_the_key_may_come_as_x_api_key(api: Api, alice: Tenant):
    async with (
        aiohttp.ClientSession(api.url, headers={"x-api-key": alice.api_key}) as session,
        session.get("/v1/models") as answer,
    ):
        assert answer.status == 200


async def test_a_sane_request_id_is_kept_and_another_replaced(api: Api):
    for sent, kept in (("abc-123", True), ("bad id", False), ("x" * 200, False)):
        async with api.http.get("/v1/models", headers={"X-Request-Id": sent}) as answer:
            assert (answer.headers["X-Request-Id"] == sent) is kept
