"""The official client works by changing its base URL."""

import openai
import pytest

from tests.integration.ingress.conftest import Api

MESSAGES = [{"role": "user", "content": "hello dear world"}]


async def test_a_chat_is_answered(api: Api):
    completion = await api.openai.chat.completions.create(model="sim/echo", messages=MESSAGES)
    assert completion.choices[0].message.content == "hello dear world"
    assert completion.usage is not None
    assert completion.usage.total_tokens == 5


async def test_an_alias_is_a_model(api: Api):
    completion = await api.openai.chat.completions.create(model="fast", messages=MESSAGES)
    assert completion.model == "fast"


async def test_a_stream_comes_in_chunks_without_the_usage_that_nobody_asked_for(api: Api):
    stream = await api.openai.chat.completions.create(model="sim/echo", messages=MESSAGES, stream=True)
    chunks = [chunk async for chunk in stream]
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["hello", "dear", "world", None]
    assert all(chunk.usage is None for chunk in chunks)


async def test_a_stream_ends_with_the_usage_when_asked_for(api: Api):
    stream = await api.openai.chat.completions.create(
        model="sim/echo", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    last = [chunk async for chunk in stream][-1]
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == 3


async def test_completions_embeddings_and_images_are_answered(api: Api):
    text = await api.openai.completions.create(model="sim/echo", prompt="once")
    vectors = await api.openai.embeddings.create(model="sim/echo", input=["a", "b"], encoding_format="float")
    images = await api.openai.images.generate(model="sim/echo", prompt="a pipe")
    assert text.choices[0].text == "once"
    assert vectors.data[0].embedding == [0.5, 0.25]
    assert images.data is not None
    assert images.data[0].url == "https://images.example/1.png"


async def test_models_are_listed_and_shown_with_slashes_in_their_names(api: Api):
    listed = [model.id async for model in api.openai.models.list()]
    shown = await api.openai.models.retrieve("sim/team/model")
    unlisted = await api.openai.models.retrieve("sim/brand-new")
    assert {"fast", "sim/echo", "sim/team/model"} <= set(listed)
    assert (shown.id, shown.owned_by) == ("sim/team/model", "sim")
    assert unlisted.owned_by == "sim"


async def test_errors_become_the_clients_own_exceptions(api: Api):
    with pytest.raises(openai.RateLimitError) as limited:
        await api.openai.chat.completions.create(model="sim/fail", messages=MESSAGES)
    assert limited.value.response.headers["retry-after"] == "7"
    assert limited.value.response.headers["x-job-id"].startswith("job_")
    assert limited.value.code == "provider_rate_limited"
    with pytest.raises(openai.RateLimitError):
        await api.openai.chat.completions.create(model="sim/fail", messages=MESSAGES, stream=True)
    with pytest.raises(openai.NotFoundError) as unknown:
        await api.openai.chat.completions.create(model="nobody/knows", messages=MESSAGES)
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as bad:
        await api.openai.chat.completions.create(model="sim/echo", messages=[{"content": "x"}])  # type: ignore[list-item]
    assert bad.value.param == "messages[0].role"
    with pytest.raises(openai.AuthenticationError):
        await api.openai.with_options(api_key="sk-wrong").models.list()


@pytest.mark.parametrize("model", ["sim/gap", "sim/cut"])
async def test_a_stream_that_breaks_raises_and_never_looks_complete(api: Api, model: str):
    stream = await api.openai.chat.completions.create(model=model, messages=MESSAGES, stream=True)
    with pytest.raises(openai.APIError):
        async for _ in stream:
            pass
