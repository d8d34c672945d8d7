"""The real LiteLLM against a local server that speaks Anthropic's protocol."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from pydantic import SecretStr

from services.provider_worker.adapters.litellm_module import LiteLLM
from services.provider_worker.adapters.litellm_parameters import check_model
from services.provider_worker.adapters.litellm_provider import LiteLLMProvider
from services.provider_worker.domain.assembly import Assembly
from services.provider_worker.domain.provider import Chunk, ProviderCall
from services.provider_worker.domain.tokens import Tokens
from shared.config.providers import ProviderSettings
from shared.contracts.jobs import Operation
from shared.errors import (
    InvalidRequestError,
    ProviderAuthenticationError,
    ProviderProtocolError,
    ProviderRateLimitedError,
    ProviderRejectedError,
    ProviderTimeoutError,
    ProviderUnavailableError,
)
from tests.integration.provider_worker.scripted import ScriptedServer, scripted_server

pytestmark = pytest.mark.filterwarnings("default")  # LiteLLM's own deprecations are not ours to fix

KEY = "sk-ant-a-secret-of-ours"
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 10,
        "output_tokens": 3,
        "cache_read_input_tokens": 4,
        "cache_creation_input_tokens": 2,
    },
}
EVENTS = [
    {
        "type": "message_start",
        "message": MESSAGE
        | {"content": [], "stop_reason": None, "usage": {"input_tokens": 10, "output_tokens": 1}},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 3},
    },
    {"type": "message_stop"},
]
BODY = {"model": "claude", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9, "top_k": 5}


@pytest.fixture(scope="module")
def litellm() -> LiteLLM:
    return LiteLLM()


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as found:
        yield found


@pytest.fixture
def provider(server, litellm) -> LiteLLMProvider:
    settings = ProviderSettings(
        kind="litellm", base_url=server.url, api_key=SecretStr(KEY), first_token_timeout_s=20
    )
    return LiteLLMProvider("anthropic", settings, litellm)


def call(**fields) -> ProviderCall:
    body = json.dumps(BODY | fields).encode()
    return ProviderCall(operation=Operation.CHAT, model="claude-sonnet-4-5", body=body)


def events(*chosen: dict) -> list[bytes]:
    return [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in chosen]


async def streamed(provider: LiteLLMProvider, into: list[Chunk] | None = None) -> list[Chunk]:
    chunks = [] if into is None else into
    async for chunk in provider.stream(call()):
        chunks.append(chunk)
    return chunks


async def test_an_answer_comes_in_the_openai_shape(server, provider):
    server.answer(json.dumps(MESSAGE).encode())
    answer = await provider.complete(call())
    data = json.loads(answer.body)
    assert data["object"] == "chat.completion"
    assert data["choices"][0]["message"]["content"] == "Hello"
    assert data["choices"][0]["finish_reason"] == "stop"
    assert answer.tokens == Tokens(input=16, output=3, cached=4, cache_written=2)
    sent = json.loads(server.bodies[0])
    assert (sent["model"], sent["max_tokens"], sent["top_k"]) == ("claude-sonnet-4-5", 9, 5)
    assert server.headers[0]["x-api-key"] == KEY


async def test_a_stream_comes_in_openai_chunks_with_its_usage(server, provider):
    server.stream(*events(*EVENTS))
    chunks = await streamed(provider)
    assembly = Assembly(Operation.CHAT)
    for chunk in chunks:
        assembly.add(chunk.data)
        assert json.loads(chunk.raw) == chunk.data
        assert chunk.data["object"] == "chat.completion.chunk"
    answer = json.loads(assembly.answer())
    assert answer["choices"][0]["message"]["content"] == "Hello"
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1].data["choices"] == []
    assert assembly.tokens is not None
    assert (assembly.tokens.input, assembly.tokens.output) == (10, 3)


async def test_a_stream_that_is_cut_is_no_success(server, provider):
    server.stream(*events(*EVENTS[:4]))
    chunks: list[Chunk] = []
    with pytest.raises((ProviderProtocolError, ProviderUnavailableError)):
        await streamed(provider, chunks)
    assert chunks
    assert not any(choice["finish_reason"] for chunk in chunks for choice in chunk.data["choices"])


async def test_an_error_inside_a_stream_is_an_error(server, provider):
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    server.stream(*events(*EVENTS[:3], error))
    with pytest.raises(ProviderUnavailableError):
        await streamed(provider)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, ProviderRejectedError),
        (404, ProviderRejectedError),
        (401, ProviderAuthenticationError),
        (403, ProviderAuthenticationError),
        (429, ProviderRateLimitedError),
        (500, ProviderUnavailableError),
        (529, ProviderUnavailableError),
    ],
)
async def test_its_errors_become_ours(server, provider, status, error):
    body = {"type": "error", "error": {"type": "some_error", "message": f"words about {KEY}"}}
    server.answer(json.dumps(body).encode(), status=status, headers={"retry-after": "7"})
    with pytest.raises(error) as caught:
        await provider.complete(call())
    assert KEY not in str(caught.value)
    if status < 500:
        assert caught.value.message.startswith("words about ")
    assert caught.value.retry_after_s == (7 if caught.value.retryable else None)
    assert len(server.paths) == 1, "nothing is tried again behind our back"


async def test_an_answer_that_is_not_json_is_an_error(server, provider):
    server.answer(b"<html>")
    with pytest.raises((ProviderProtocolError, ProviderUnavailableError)):
        await provider.complete(call())


async def test_silence_is_a_timeout(server, litellm):
    async def hang(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    server.script = hang
    settings = ProviderSettings(
        kind="litellm", base_url=server.url, api_key=SecretStr(KEY), first_token_timeout_s=0.5
    )
    await litellm.module("anthropic")
    with pytest.raises(ProviderTimeoutError):
        await LiteLLMProvider("anthropic", settings, litellm).complete(call())


@pytest.mark.parametrize(
    "field",
    [
        "api_base",
        "base_url",
        "api_key",
        "mock_response",
        "callbacks",
        "fallbacks",
        "custom_llm_provider",
        "extra_headers",
        "extra_body",
        "aws_role_name",
        "vertex_credentials",
        "litellm_credential_name",
        "timeout",
    ],
)
async def test_a_caller_cannot_steer_litellm(server, provider, field):
    server.answer(json.dumps(MESSAGE).encode())
    with pytest.raises(InvalidRequestError) as caught:
        await provider.complete(call(**{field: "http://127.0.0.1:9"}))
    assert caught.value.param == field
    assert not server.paths


@pytest.mark.parametrize(
    "model", ["../../files?x=", "a/../b", "%2e%2e/b", "x#", "http://127.0.0.1:9/x", "x\n"]
)
async def test_a_model_cannot_lead_to_another_address(server, litellm, model):
    server.answer(b"{}")
    settings = ProviderSettings(kind="litellm", base_url=server.url, api_key=SecretStr(KEY))
    provider = LiteLLMProvider("gemini", settings, litellm)
    asked = ProviderCall(operation=Operation.CHAT, model=model, body=json.dumps(BODY).encode())
    with pytest.raises(InvalidRequestError) as caught:
        await provider.complete(asked)
    assert caught.value.param == "model"
    assert not server.paths


def test_models_with_regions_versions_and_resource_names_are_called():
    for model in (
        "anthropic.claude-3-5-v2:0",
        "arn:aws:bedrock:eu-west-1:1:x/y",
        "meta/llama@v1",
        "org/m_1.5+x",
    ):
        check_model(model)


async def test_pictures_are_not_fetched_from_private_addresses_and_nothing_of_them_is_logged(
    server, provider, caplog, capfd
):
    server.answer(json.dumps(MESSAGE).encode())
    picture = {"type": "image_url", "image_url": {"url": f"{server.url}/private.png"}}
    with pytest.raises(ProviderRejectedError):
        await provider.complete(call(messages=[{"role": "user", "content": [picture]}]))
    assert not server.paths
    assert "private.png" not in caplog.text + capfd.readouterr().err


async def test_without_litellm_the_error_names_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "litellm", None)
    provider = LiteLLMProvider("anthropic", ProviderSettings(kind="litellm"), LiteLLM())
    with pytest.raises(ProviderUnavailableError, match=r"penstock\[litellm\]"):
        await provider.complete(call())
