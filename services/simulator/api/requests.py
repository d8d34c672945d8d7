"""The bodies that the simulator takes; it ignores fields that it does not know."""

from typing import Annotated, Any, Literal, TypeVar

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from services.simulator.api.errors import ApiError
from services.simulator.domain.behaviour import Behaviour

Limit = Annotated[int, Field(ge=1)] | None


class Request(BaseModel):
    """What every inference request has."""

    model: str = Field(min_length=1)
    simulator: Behaviour | None = None


class StreamOptions(BaseModel):
    """OpenAI's ``stream_options``."""

    include_usage: bool = False


class TextRequest(Request):
    """What chat and completion have in common."""

    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Limit = None
    n: int = Field(default=1, ge=1, le=16)

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with a chunk of usage."""
        return self.stream_options is not None and self.stream_options.include_usage


class ChatMessage(BaseModel):
    """One message; only its text is looked at."""

    role: str
    content: str | list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        """The text, of all text parts where there are several."""
        if isinstance(self.content, list):
            return "".join(str(part.get("text", "")) for part in self.content if part.get("type") == "text")
        return self.content or ""


class ChatRequest(TextRequest):
    """Body of ``POST /v1/chat/completions``."""

    messages: list[ChatMessage] = Field(min_length=1)
    max_completion_tokens: Limit = None


class CompletionRequest(TextRequest):
    """Body of ``POST /v1/completions``."""

    prompt: str


class EmbeddingRequest(Request):
    """Body of ``POST /v1/embeddings``; token ids are taken for words."""

    input: str | list[str] | list[int] | list[list[int]] = Field(min_length=1)
    dimensions: int | None = Field(default=None, ge=1, le=4096)
    encoding_format: Literal["float", "base64"] = "float"

    @property
    def texts(self) -> list[str]:
        """One text for each vector of the answer."""
        if isinstance(self.input, str):
            return [self.input]
        if isinstance(self.input[0], int):
            return [" ".join(map(str, self.input))]
        return [one if isinstance(one, str) else str(one) for one in self.input]


class ImageRequest(Request):
    """Body of ``POST /v1/images/generations``."""

    model: str = Field(default="image", min_length=1)
    prompt: str = Field(min_length=1)
    n: int = Field(default=1, ge=1, le=10)
    response_format: Literal["url", "b64_json"] = "url"


R = TypeVar("R", bound=Request)


async def decode(request: web.Request, shape: type[R]) -> R:
    """Read and check a body.

    Raises:
        ApiError: It is not JSON, or not of this shape; ``param`` names the first field at fault.
    """
    try:
        return shape.model_validate_json(await request.read())
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        param = ".".join(str(part) for part in first["loc"]) or None
        message = first["msg"] if param is None else f"{param}: {first['msg']}"
        raise ApiError(400, message, code=first["type"], param=param) from None


def known_model(request: Request, *names: str) -> str:
    """Return the model's own name; callers may put ``simulator/`` before it.

    Raises:
        ApiError: 404, it is none of ``names``.
    """
    name = request.model.removeprefix("simulator/")
    if name not in names:
        raise ApiError(
            404,
            f"The model {request.model[:80]!r} does not exist here; there is {', '.join(names)}.",
            code="model_not_found",
            param="model",
        )
    return name
