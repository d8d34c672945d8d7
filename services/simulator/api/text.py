"""``POST /v1/chat/completions`` and ``POST /v1/completions``."""

from collections.abc import Sequence

from aiohttp import web

from services.simulator.api.bodies import send_json
from services.simulator.api.calls import Calls
from services.simulator.api.requests import (
    ChatRequest,
    CompletionRequest,
    TextRequest,
    decode,
    known_model,
)
from services.simulator.api.shapes import ChatShape, CompletionShape, Shape, usage
from services.simulator.api.streaming import send_stream
from services.simulator.domain.behaviour import Behaviour
from services.simulator.domain.text import answer, count_tokens, tokens_of, words

MODELS = ("echo", "text")


class TextRoutes:
    """The routes that answer with text."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Answer with the last user message (``echo``), or with words (``text``)."""
        body = await decode(request, ChatRequest)
        model = known_model(body, *MODELS)
        heard = next((message.text for message in reversed(body.messages) if message.role == "user"), "")
        limit = body.max_completion_tokens or body.max_tokens
        async with self._calls.call(request, body) as behaviour:
            return await _say(
                request,
                body,
                behaviour,
                shape=ChatShape(body.model, include_usage=body.include_usage),
                tokens=tokens_of(heard) if model == "echo" else words(behaviour.tokens),
                limit=limit,
                prompt_tokens=sum(count_tokens(message.text) for message in body.messages),
            )

    async def completion(self, request: web.Request) -> web.StreamResponse:
        """Answer with the prompt (``echo``), or with words (``text``)."""
        body = await decode(request, CompletionRequest)
        model = known_model(body, *MODELS)
        async with self._calls.call(request, body) as behaviour:
            return await _say(
                request,
                body,
                behaviour,
                shape=CompletionShape(body.model, include_usage=body.include_usage),
                tokens=tokens_of(body.prompt) if model == "echo" else words(behaviour.tokens),
                limit=body.max_tokens,
                prompt_tokens=count_tokens(body.prompt),
            )


async def _say(
    request: web.Request,
    body: TextRequest,
    behaviour: Behaviour,
    *,
    shape: Shape,
    tokens: Sequence[str],
    limit: int | None,
    prompt_tokens: int,
) -> web.StreamResponse:
    said = answer(tokens, limit=limit)
    if body.stream:
        counted = prompt_tokens if body.include_usage else None
        return await send_stream(request, shape, said, behaviour, n=body.n, prompt_tokens=counted)
    content = shape.whole("".join(said.tokens), said.finish_reason, body.n)
    content["usage"] = usage(prompt_tokens, body.n * len(said.tokens))
    return await send_json(request, content, behaviour, tokens=len(said.tokens))
