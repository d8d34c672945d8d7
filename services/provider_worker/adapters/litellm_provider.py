"""Every provider that does not speak the OpenAI protocol, through LiteLLM."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any

from services.provider_worker.adapters.litellm_errors import error_from
from services.provider_worker.adapters.litellm_module import LiteLLM
from services.provider_worker.adapters.litellm_parameters import check_model, parameters
from services.provider_worker.adapters.litellm_shape import answer_bytes, chunk_bytes
from services.provider_worker.domain.answers import read_answer, read_chunk
from services.provider_worker.domain.json_text import parse
from services.provider_worker.domain.provider import Chunk, ProviderAnswer, ProviderCall
from services.provider_worker.domain.stream_end import StreamEnd
from shared.config.providers import ProviderSettings
from shared.contracts.jobs import Operation
from shared.errors import InvalidRequestError, PenstockError, ProviderProtocolError

_FUNCTIONS = {
    Operation.CHAT: "acompletion",
    Operation.COMPLETION: "atext_completion",
    Operation.EMBEDDING: "aembedding",
    Operation.IMAGE: "aimage_generation",
}


class LiteLLMProvider:
    """One provider that LiteLLM knows.

    Args:
        name: What the configuration calls it.
        settings: Key, address and time limits; what is missing LiteLLM takes from its usual variables.
        litellm: The module, not imported yet.
    """

    def __init__(self, name: str, settings: ProviderSettings, litellm: LiteLLM) -> None:
        self.name = name
        self._settings = settings
        self._litellm = litellm
        self._prefix = settings.litellm_prefix or name
        self._key = settings.api_key.get_secret_value() if settings.api_key else None

    async def complete(self, call: ProviderCall) -> ProviderAnswer:
        """Get the whole answer, in the OpenAI shape."""
        limit_s = min(self._settings.first_token_timeout_s, self._settings.total_timeout_s)
        with self._translated():
            answer = await self._ask(call, asyncio.get_running_loop().time() + limit_s, {})
            return read_answer(self.name, call.operation, answer_bytes(answer))

    async def stream(self, call: ProviderCall) -> AsyncGenerator[Chunk, None]:
        """Get the chunks of a stream up to its proper end."""
        loop = asyncio.get_running_loop()
        total_at = loop.time() + self._settings.total_timeout_s
        until = min(total_at, loop.time() + self._settings.first_token_timeout_s)
        end = StreamEnd(self.name)
        streamed = {"stream": True, "stream_options": {"include_usage": True}}
        with self._translated():
            answer = await self._ask(call, until, streamed)
        try:
            while True:
                with self._translated():
                    async with asyncio.timeout_at(until):
                        piece = await anext(answer, None)
                    if piece is None:
                        end.check()
                        return
                    chunk = read_chunk(self.name, chunk_bytes(piece))
                    self._check_end(answer, chunk)
                    end.saw(chunk.data)
                yield chunk
                until = min(total_at, loop.time() + self._settings.between_chunks_timeout_s)
        finally:
            await answer.aclose()

    def _check_end(self, answer: Any, chunk: Chunk) -> None:
        """Refuse the end that LiteLLM makes up for a stream that was cut; what it received tells."""
        ends = any(choice.get("finish_reason") for choice in chunk.data["choices"])
        if ends and answer.received_finish_reason is None:
            raise ProviderProtocolError(self.name, f"{self.name} cut the stream short.")

    async def _ask(self, call: ProviderCall, until: float, extra: dict[str, Any]) -> Any:
        check_model(call.model)
        try:
            body = parse(call.body)
        except ValueError as error:
            raise InvalidRequestError("The body is not valid JSON.") from error
        if not isinstance(body, dict):
            raise InvalidRequestError("The body is not a JSON object.")
        litellm = await self._litellm.module(self.name)
        async with asyncio.timeout_at(until):
            return await getattr(litellm, _FUNCTIONS[call.operation])(
                model=f"{self._prefix}/{call.model}",
                api_key=self._key,
                api_base=self._settings.base_url,
                timeout=self._settings.total_timeout_s,
                max_retries=0,
                num_retries=0,
                **parameters(call.operation, body, self._litellm.own_parameters()),
                **extra,
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except PenstockError:
            raise
        except Exception as error:  # LiteLLM raises whatever the code for each provider raises
            raise error_from(self.name, error, secret=self._key) from error
