"""Bodies of the OpenAI routes, as far as Penstock looks at them."""

from typing import Any, Literal

from pydantic import ConfigDict, Field

from services.ingress.api.schemas.common import Open

_TIER = (
    "`flex` takes the standard lane, `batch` the batch lane; anything else the interactive one, or with "
    "`Prefer: respond-async` the standard one unless it is `priority`."
)


class ChatMessage(Open):
    """One message of a conversation."""

    role: str = Field(examples=["user"])
    content: str | list[dict[str, Any]] | None = Field(default=None, examples=["Hello!"])


class StreamOptions(Open):
    """Options of a stream."""

    include_usage: bool | None = Field(default=None, description="Send a last chunk with the usage.")


class ChatCompletionRequest(Open):
    """Body of ``POST /v1/chat/completions``."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "simulator/echo",
                    "messages": [{"role": "user", "content": "Hello!"}],
                    "stream": False,
                }
            ]
        }
    )

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    service_tier: str | None = Field(default=None, description=_TIER)


class CompletionRequest(Open):
    """Body of ``POST /v1/completions``."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "simulator/echo", "prompt": "Once upon a time"}]}
    )

    model: str
    prompt: str | list[str] | list[int] | list[list[int]]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    service_tier: str | None = Field(default=None, description=_TIER)


class EmbeddingRequest(Open):
    """Body of ``POST /v1/embeddings``."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "simulator/embedding", "input": ["a text", "another"]}]}
    )

    model: str
    input: str | list[str] | list[int] | list[list[int]]
    service_tier: str | None = Field(default=None, description=_TIER)


class ImageRequest(Open):
    """Body of ``POST /v1/images/generations``."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "openai/gpt-image-1", "prompt": "A gated pipe", "n": 1}]}
    )

    model: str
    prompt: str = Field(min_length=1)
    n: int | None = None
    service_tier: str | None = Field(default=None, description=_TIER)


class ChatChoice(Open):
    """One answer."""

    index: int
    message: ChatMessage
    finish_reason: str | None = Field(examples=["stop"])


class TokenUsage(Open):
    """What a call consumed."""

    prompt_tokens: int = Field(examples=[3])
    completion_tokens: int = Field(default=0, examples=[5])
    total_tokens: int = Field(examples=[8])


class ChatCompletion(Open):
    """Answer of ``POST /v1/chat/completions``, as the provider gave it."""

    id: str = Field(examples=["chatcmpl-123"])
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: TokenUsage | None = None


class Completion(Open):
    """Answer of ``POST /v1/completions``."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: TokenUsage | None = None


class EmbeddingList(Open):
    """Answer of ``POST /v1/embeddings``."""

    object: Literal["list"] = "list"
    data: list[dict[str, Any]]
    model: str
    usage: TokenUsage | None = None


class Images(Open):
    """Answer of ``POST /v1/images/generations``."""

    created: int
    data: list[dict[str, Any]]
