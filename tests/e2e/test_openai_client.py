"""The official client, unchanged but for its base URL."""

import openai
import pytest

from tests.support.fleet import Fleet

pytestmark = pytest.mark.e2e


@pytest.fixture
def client(fleet: Fleet):
    with openai.OpenAI(base_url=f"{fleet.url}/v1", api_key=fleet.api_key, max_retries=0) as client:
        yield client


def say(text: str):
    return [{"role": "user", "content": text}]


def test_a_chat_is_answered(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="simulator/echo", messages=say("Hello, water."))
    assert answer.choices[0].message.content == "Hello, water."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_every_answer_names_its_job_and_request(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="simulator/echo", messages=say("hi"))
    assert raw.headers["x-job-id"].startswith("job_")
    assert raw.headers["x-request-id"]


def test_a_stream_arrives_whole_and_in_order(client: openai.OpenAI) -> None:
    words = " ".join(f"word{n}" for n in range(200))
    chunks = list(
        client.chat.completions.create(
            model="simulator/echo",
            messages=say(words),
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == words
    assert chunks[-1].usage is not None
    assert [c for c in chunks if c.choices][-1].choices[0].finish_reason == "stop"


def test_usage_is_streamed_only_when_asked_for(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(model="simulator/echo", messages=say("one two"), stream=True)
    )
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


def test_an_old_style_completion_is_answered(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="simulator/echo", prompt="Say it back")
    assert answer.choices[0].text == "Say it back"


def test_embeddings_of_several_inputs_keep_their_order(client: openai.OpenAI) -> None:
    both = client.embeddings.create(model="simulator/embedding", input=["river", "turbine"])
    alone = client.embeddings.create(model="simulator/embedding", input="turbine")
    assert [item.index for item in both.data] == [0, 1]
    assert both.data[1].embedding == pytest.approx(alone.data[0].embedding, abs=1e-6)


def test_an_answer_larger_than_a_message_arrives_whole(client: openai.OpenAI) -> None:
    texts = [f"text {n}" for n in range(150)]
    answer = client.embeddings.create(model="simulator/embedding", input=texts, encoding_format="float")
    assert len(answer.data) == len(texts)


def test_a_request_larger_than_a_message_is_answered(client: openai.OpenAI) -> None:
    text = "water " * 50_000
    answer = client.chat.completions.create(model="simulator/echo", messages=say(text))
    assert answer.choices[0].message.content == text


def test_an_image_is_made(client: openai.OpenAI) -> None:
    answer = client.images.generate(model="simulator/image", prompt="a dam", response_format="b64_json")
    assert answer.data
    assert answer.data[0].b64_json


def test_the_models_are_listed_and_found_by_name(client: openai.OpenAI) -> None:
    names = {model.id for model in client.models.list()}
    assert {"simulator/echo", "simulator/text", "simulator/embedding"} <= names
    assert client.models.retrieve("simulator/echo").owned_by == "simulator"


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nobody/nothing", messages=say("hi"))
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"


def test_a_wrong_key_is_refused(fleet: Fleet) -> None:
    with (
        openai.OpenAI(base_url=f"{fleet.url}/v1", api_key="sk-penstock-wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.models.list()


def test_missing_messages_are_named(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/chat/completions", body={"model": "simulator/echo"}, cast_to=object)
    assert caught.value.param == "messages"


def test_a_provider_that_asks_to_wait_is_passed_on(client: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(
            model="simulator/echo",
            messages=say("hi"),
            extra_body={"simulator": {"status": 429, "retry_after_s": 7}},
        )
    assert caught.value.response.headers["retry-after"] == "7"


def test_a_provider_that_fails_is_a_bad_gateway(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(
            model="simulator/echo", messages=say("hi"), extra_body={"simulator": {"status": 500}}
        )
    assert caught.value.status_code == 502


def test_a_stream_that_is_cut_ends_in_an_error(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="simulator/echo",
        messages=say("one two three four five six seven eight"),
        stream=True,
        extra_body={"simulator": {"cut_after_chunks": 3}},
    )
    received = []
    with pytest.raises(openai.APIError):
        received.extend(stream)
    assert received


async def test_the_asynchronous_client_works_too(fleet: Fleet) -> None:
    async with openai.AsyncOpenAI(base_url=f"{fleet.url}/v1", api_key=fleet.api_key) as client:
        stream = await client.chat.completions.create(
            model="simulator/echo", messages=say("one two three"), stream=True
        )
        assert "".join([c.choices[0].delta.content or "" async for c in stream]) == "one two three"
