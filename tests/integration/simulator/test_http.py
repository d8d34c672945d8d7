"""The simulator over a socket, driven by the official client and by raw requests."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator

import aiohttp
import openai
import pytest

from services.simulator.app import listening
from services.simulator.settings import SimulatorSection

HELLO = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello my friend"}]


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with listening(SimulatorSection(port=0)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def client(url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture
async def http(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(url) as session:
        yield session


def chat(**simulator: object) -> dict[str, object]:
    return {"model": "text", "messages": HELLO, "simulator": simulator}


async def calls(http: aiohttp.ClientSession, key: str) -> dict[str, int]:
    async with http.get("/simulator/calls", params={"key": key}) as response:
        return await response.json()


async def test_echo_answers_with_the_last_user_message(client):
    parts = [{"type": "text", "text": "and "}, {"type": "text", "text": "parts"}]
    for content, text in (("one two", "one two"), (parts, "and parts")):
        answer = await client.chat.completions.create(
            model="echo", messages=[*HELLO, {"role": "user", "content": content}]
        )
        assert answer.choices[0].message.content == text
        assert answer.choices[0].finish_reason == "stop"
        assert answer.usage.prompt_tokens == 7
        assert answer.usage.completion_tokens == 2
        assert answer.usage.total_tokens == 9


async def test_max_tokens_cuts_the_answer(client):
    answer = await client.chat.completions.create(model="simulator/text", messages=HELLO, max_tokens=3)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 3


async def test_a_stream_gives_the_same_text_and_its_usage_at_the_end(client):
    stream = await client.chat.completions.create(
        model="echo", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == "hello my friend"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 3
    assert all(chunk.usage is None for chunk in chunks[:-1])


async def test_a_stream_keeps_its_pace(client):
    started = time.monotonic()
    stream = await client.chat.completions.create(
        model="text",
        messages=HELLO,
        stream=True,
        extra_body={"simulator": {"tokens": 20, "tokens_per_s": 100}},
    )
    arrivals = [time.monotonic() - started async for chunk in stream if chunk.choices[0].delta.content]
    assert len(arrivals) == 20
    assert 0.2 <= arrivals[-1] < 1.0
    assert arrivals[9] >= 0.1


async def test_completions_speak_their_own_shape(client):
    answer = await client.completions.create(model="echo", prompt="one two")
    assert answer.choices[0].text == "one two"
    stream = await client.completions.create(model="text", prompt="x", stream=True)
    assert len([chunk async for chunk in stream if chunk.choices[0].text]) == 32


async def test_embeddings_come_as_floats_and_as_base64(client, http):
    answer = await client.embeddings.create(model="embedding", input=["a b", "c"], dimensions=8)
    assert [len(item.embedding) for item in answer.data] == [8, 8]
    assert answer.usage.prompt_tokens == 3
    body = {"model": "embedding", "input": "a b", "dimensions": 8}
    async with http.post("/v1/embeddings", json=body) as response:
        floats = (await response.json())["data"][0]["embedding"]
    assert struct.pack("8f", *floats) == struct.pack("8f", *answer.data[0].embedding)
    ids = await client.embeddings.create(model="embedding", input=[[1, 2], [3]])
    assert len(ids.data) == 2


async def test_images_come_as_data_and_as_a_url_that_works(client, http):
    data = await client.images.generate(model="any", prompt="a gate", response_format="b64_json", n=2)
    assert len(data.data) == 2
    link = await client.images.generate(model="any", prompt="a gate")
    async with http.get(link.data[0].url) as response:
        assert response.content_type == "image/png"
        assert (await response.read()).startswith(b"\x89PNG")


async def test_the_models_are_listed(client):
    assert {model.id async for model in client.models.list()} >= {"echo", "text", "embedding"}
    assert (await client.models.retrieve("echo")).owned_by == "simulator"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "echo"}, "messages"),
        ({"model": "echo", "messages": []}, "messages"),
        ({"model": "echo", "messages": HELLO, "max_tokens": 0}, "max_tokens"),
        ({"model": "echo", "messages": HELLO, "simulator": {"oops": 1}}, "simulator.oops"),
        ({"messages": HELLO}, "model"),
    ],
)
async def test_a_bad_request_names_the_field(http, body, param):
    async with http.post("/v1/chat/completions", json=body) as response:
        assert response.status == 400
        error = (await response.json())["error"]
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"


async def test_malformed_json_unknown_models_and_unknown_paths_have_the_same_shape(http, client):
    async with http.post("/v1/chat/completions", data=b'{"model"') as response:
        assert response.status == 400
        assert (await response.json())["error"]["message"]
    async with http.get("/v1/nothing") as response:
        assert response.status == 404
        assert (await response.json())["error"]["message"]
    with pytest.raises(openai.NotFoundError) as raised:
        await client.chat.completions.create(model="gpt-9", messages=HELLO)
    assert raised.value.code == "model_not_found"


async def test_an_error_is_answered_as_asked_with_retry_after(http):
    async with http.post("/v1/chat/completions", json=chat(status=429, retry_after_s=2)) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "2")
        assert (await response.json())["error"]["type"] == "rate_limit_error"
    async with http.post("/v1/chat/completions", json=chat(status=503)) as response:
        assert response.status == 503


async def test_a_key_fails_its_first_calls_and_is_counted(http):
    body = chat(key="job-1", fail_times=2, status=502)
    statuses = []
    for _ in range(3):
        async with http.post("/v1/chat/completions", json=body) as response:
            statuses.append(response.status)
    assert statuses == [502, 502, 200]
    assert await calls(http, "job-1") == {"key": "job-1", "calls": 3, "active": 0, "aborted": 0}
    async with http.get("/simulator/spans") as response:
        spans = (await response.json())["job-1"]
    assert len(spans) == 3
    assert all(began <= ended for began, ended in spans)
    async with http.delete("/simulator/calls") as response:
        assert response.status == 204
    assert (await calls(http, "job-1"))["calls"] == 0


@pytest.mark.parametrize("fault", [{"hang": True}, {"delay_ms": 60_000}, {"tokens_per_s": 0.1}])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_aborts_its_call(http, fault, stream):
    body = chat(key="left", **fault) | {"stream": stream}

    async def ask() -> None:
        async with http.post("/v1/chat/completions", json=body) as response:
            await response.read()

    async def until(**expected: int) -> None:
        while not expected.items() <= (await calls(http, "left")).items():
            pass

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        asking = group.create_task(ask())
        await until(calls=1, active=1)
        asking.cancel()
        await until(active=0, aborted=1)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_connection_can_break_before_the_answer(http, stream):
    with pytest.raises(aiohttp.ClientConnectionError):
        async with http.post("/v1/chat/completions", json=chat(disconnect=True) | {"stream": stream}):
            pass


async def test_a_stream_can_be_cut_after_some_chunks(http):
    lines: list[bytes] = []
    with pytest.raises(aiohttp.ClientError):
        async with http.post(
            "/v1/chat/completions", json=chat(cut_after_chunks=3, tokens_per_s=200) | {"stream": True}
        ) as response:
            lines.extend([line async for line in response.content])
    assert not any(b"[DONE]" in line for line in lines)


async def test_an_answer_can_be_cut_in_its_middle(http):
    async with http.post("/v1/chat/completions", json=chat(cut_after_chunks=0)) as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_a_stream_can_end_without_its_end(http):
    async with http.post(
        "/v1/chat/completions", json=chat(end_without_done=True, tokens=2) | {"stream": True}
    ) as response:
        text = await response.text()
    assert "[DONE]" not in text
    assert '"stop"' not in text
    assert "falls" in text


@pytest.mark.parametrize("stream", [False, True])
async def test_json_can_be_broken(http, stream):
    async with http.post("/v1/chat/completions", json=chat(bad_json=True) | {"stream": stream}) as response:
        assert response.status == 200
        text = await response.text()
    assert "[DONE]" not in text
    assert text.count("{") > text.count("}")
