"""The OpenAI protocol over a real socket, byte for byte."""

import json
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from services.provider_worker.adapters.openai_provider import OpenAIProvider, make_session
from services.provider_worker.domain.provider import Chunk, ProviderCall
from services.provider_worker.domain.tokens import Tokens
from shared.config.providers import ProviderSettings
from shared.contracts.jobs import Operation
from shared.errors import (
    ProviderAuthenticationError,
    ProviderProtocolError,
    ProviderRateLimitedError,
    ProviderTimeoutError,
    ProviderUnavailableError,
)
from tests.integration.provider_worker.scripted import ScriptedServer, scripted_server

KEY = "sk-a-secret-of-ours"
ANSWER = b'{ "choices":[{"index":0,"message":{"content":"hi"}}],\n "x":1e400,"big":12345678901234567890123 }'


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as found:
        yield found


@pytest.fixture
async def provider(server) -> AsyncIterator[OpenAIProvider]:
    settings = ProviderSettings(
        api_key=SecretStr(KEY), first_token_timeout_s=1, between_chunks_timeout_s=0.3, total_timeout_s=2
    )
    async with make_session() as session:
        yield OpenAIProvider("acme", server.url + "/v1/", settings, session, max_answer_bytes=100_000)


def call(body: bytes = b'{"messages":[]}', operation: Operation = Operation.CHAT) -> ProviderCall:
    return ProviderCall(operation=operation, model="real-model", body=body)


def event(delta: dict, **fields) -> bytes:
    chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": None, **fields}]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


async def streamed(provider: OpenAIProvider, into: list[Chunk] | None = None) -> list[Chunk]:
    chunks = [] if into is None else into
    async for chunk in provider.stream(call()):
        chunks.append(chunk)
    return chunks


async def test_bodies_pass_through_both_ways_untouched(server, provider):
    server.answer(ANSWER)
    body = b'{"model" : "alias","n":1e400,"odd":{"deep":[123456789012345678901234567890]},"a":"\\u00e9"}'
    answer = await provider.complete(call(body))
    assert answer.body == ANSWER
    assert server.bodies == [body.replace(b'"alias"', b'"real-model"')]
    assert server.paths == ["/v1/chat/completions"]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        (Operation.COMPLETION, "/v1/completions"),
        (Operation.EMBEDDING, "/v1/embeddings"),
        (Operation.IMAGE, "/v1/images/generations"),
    ],
)
async def test_each_operation_has_its_path(server, provider, operation, path):
    server.answer(b'{"choices":[1],"data":[1,2],"usage":{"prompt_tokens":3}}')
    answer = await provider.complete(call(operation=operation))
    assert server.paths == [path]
    assert answer.tokens == Tokens(input=3)
    assert answer.images == (2 if operation is Operation.IMAGE else 0)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", ProviderProtocolError),
        (b"<html>", ProviderProtocolError),
        (b"[]", ProviderProtocolError),
        (b"{}", ProviderProtocolError),
        (b'{"choices":[]}', ProviderProtocolError),
        (b'{"choices":[1],"x":NaN}', ProviderProtocolError),
        (b'{"choices":[{"message":"\xff"}]}', ProviderProtocolError),
        (b'{"error":{"message":"out of cards"}}', ProviderUnavailableError),
        (b'{"choices":["' + b"x" * 100_000 + b'"]}', ProviderProtocolError),
    ],
)
async def test_an_answer_of_the_wrong_shape_is_no_success(server, provider, body, error):
    server.answer(body)
    with pytest.raises(error):
        await provider.complete(call())


@pytest.mark.parametrize("status", [401, 403])
async def test_our_key_is_in_no_message(server, provider, status):
    server.answer(json.dumps({"error": {"message": f"bad key {KEY}!"}}).encode(), status=status)
    with pytest.raises(ProviderAuthenticationError) as caught:
        await provider.complete(call())
    assert KEY not in str(caught.value)
    assert caught.value.message == "bad key ***!"


async def test_our_key_is_in_no_message_inside_a_stream(server, provider):
    server.stream(event({"content": "a"}), b'data: {"error":{"message":"' + KEY.encode() + b'"}}\n\n')
    with pytest.raises(ProviderUnavailableError) as caught:
        await streamed(provider)
    assert KEY not in str(caught.value)


async def test_a_rate_limit_says_how_long(server, provider):
    server.answer(b'{"error":{"message":"slow"}}', status=429, headers={"retry-after-ms": "1500"})
    with pytest.raises(ProviderRateLimitedError) as caught:
        await provider.complete(call())
    assert caught.value.retry_after_s == 1.5


async def test_a_redirect_is_not_followed(server, provider):
    server.answer(b"", status=307, headers={"Location": "/elsewhere"})
    with pytest.raises(ProviderProtocolError):
        await provider.complete(call())
    assert len(server.paths) == 1


async def test_a_provider_that_is_not_there_is_unavailable():
    async with make_session() as session:
        nobody = OpenAIProvider(
            "nobody", "http://127.0.0.1:9", ProviderSettings(), session, max_answer_bytes=1
        )
        with pytest.raises(ProviderUnavailableError):
            await nobody.complete(call())
        with pytest.raises(ProviderUnavailableError):
            await streamed(nobody)


async def test_chunks_arrive_however_the_stream_is_cut(server, provider):
    whole = (
        b": hello\r\n\r\n"
        + event({"content": "\u00e9\n"})
        + event({}, finish_reason="stop")
        + b"data: [DONE]\n\n"
    )
    server.stream(*(whole[at : at + 7] for at in range(0, len(whole), 7)))
    chunks = await streamed(provider)
    assert [chunk.data for chunk in chunks] == [json.loads(chunk.raw) for chunk in chunks]
    assert len(chunks) == 2
    sent = json.loads(server.bodies[0])
    assert sent["stream"] is True
    assert sent["stream_options"] == {"include_usage": True}


async def test_a_chunk_over_several_lines_comes_on_one(server, provider):
    server.stream(b'data: {"choices":\ndata: [{"index":0,"finish_reason":"stop"}]}\n\n')
    (chunk,) = await streamed(provider)
    assert b"\n" not in chunk.raw


async def test_a_connection_serves_one_stream_after_another(server, provider):
    server.stream(event({"content": "a"}), b"data: [DONE]\n\n")
    for _ in range(3):
        await streamed(provider)
    assert len(server.connections) == 1


@pytest.mark.parametrize("abort", [False, True])
@pytest.mark.parametrize(
    "pieces",
    [
        (),
        (b"data: [DONE]\n\n",),
        (event({"content": "a"}),),
        (event({"content": "a"}), b'data: {"choi'),
        (event({"content": "a"}), b"data: nonsense\n\n", b"data: [DONE]\n\n"),
        (event({}, finish_reason="stop"), event({"content": "b"}, index=1)),
    ],
)
async def test_a_stream_without_its_end_is_no_success(server, provider, pieces, abort):
    server.stream(*pieces, abort=abort)
    with pytest.raises((ProviderProtocolError, ProviderUnavailableError)):
        await streamed(provider)


async def test_a_finish_reason_without_done_is_an_end(server, provider):
    server.stream(event({"content": "a"}), event({}, finish_reason="stop"))
    assert len(await streamed(provider)) == 2


async def test_an_endless_event_is_refused(server, provider):
    server.stream(*([b"data: " + b"x" * 50_000] + [b"x" * 50_000] * 5))
    with pytest.raises(ProviderProtocolError):
        await streamed(provider)


async def test_a_pause_is_a_timeout_after_what_came_before(server, provider):
    server.stream(event({"content": "a"}), event({"content": "b"}), pause_s=0.6)
    chunks: list[Chunk] = []
    with pytest.raises(ProviderTimeoutError):
        await streamed(provider, chunks)
    assert len(chunks) == 1


async def test_a_steady_stream_outlives_the_limit_between_its_chunks(server, provider):
    pieces = [event({"content": "a"}) for _ in range(8)]
    server.stream(*pieces, b"data: [DONE]\n\n", pause_s=0.1)
    assert len(await streamed(provider)) == len(pieces)


async def test_comments_do_not_keep_a_stream_alive(server, provider):
    server.stream(event({"content": "a"}), *([b": still here\n\n"] * 20), pause_s=0.1)
    with pytest.raises(ProviderTimeoutError):
        await streamed(provider)
