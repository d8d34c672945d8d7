"""Anything that speaks the OpenAI protocol, over aiohttp."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import aiohttp

from services.provider_worker.adapters.event_reader import EventReader
from services.provider_worker.adapters.http_errors import error_for
from services.provider_worker.domain.answers import LARGEST_CHUNK, read_answer, read_chunk
from services.provider_worker.domain.outgoing import for_answer, for_stream
from services.provider_worker.domain.provider import Chunk, ProviderAnswer, ProviderCall
from services.provider_worker.domain.stream_end import StreamEnd
from shared.config.providers import ProviderSettings
from shared.contracts.jobs import Operation
from shared.errors import (
    ProviderError,
    ProviderProtocolError,
    ProviderTimeoutError,
    ProviderUnavailableError,
)

_PATHS = {
    Operation.CHAT: "/chat/completions",
    Operation.COMPLETION: "/completions",
    Operation.EMBEDDING: "/embeddings",
    Operation.IMAGE: "/images/generations",
}
_LARGEST_ERROR = 64 * 1024


def make_session() -> aiohttp.ClientSession:
    """Build the one session of the process: keep-alive, cached DNS, no proxies from the environment."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "penstock"},
        trust_env=False,
    )


class OpenAIProvider:
    """One provider behind one base URL.

    Args:
        name: What the configuration calls it.
        base_url: Root of the API including its version.
        settings: Key and time limits.
        session: Shared by all providers of the process.
        max_answer_bytes: A longer answer is refused.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        settings: ProviderSettings,
        session: aiohttp.ClientSession,
        *,
        max_answer_bytes: int,
    ) -> None:
        self.name = name
        self._urls = {operation: base_url.rstrip("/") + path for operation, path in _PATHS.items()}
        self._settings = settings
        self._session = session
        self._max_answer_bytes = max_answer_bytes
        self._key = settings.api_key.get_secret_value() if settings.api_key else None
        self._headers = {"Content-Type": "application/json"}
        if self._key:
            self._headers["Authorization"] = f"Bearer {self._key}"
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout_s)

    async def complete(self, call: ProviderCall) -> ProviderAnswer:
        """Get the whole answer, byte for byte."""
        body = for_answer(call.body, call.model)
        limit_s = min(self._settings.first_token_timeout_s, self._settings.total_timeout_s)
        with self._translated():
            async with asyncio.timeout(limit_s):
                response = await self._post(call.operation, body)
                try:
                    answer, whole = await _read(response, self._max_answer_bytes)
                finally:
                    response.close()
        if not whole:
            raise ProviderProtocolError(self.name, f"{self.name} answered more than is allowed.")
        with self._translated():
            return read_answer(self.name, call.operation, answer)

    async def stream(self, call: ProviderCall) -> AsyncGenerator[Chunk, None]:
        """Get the chunks of a stream up to its proper end."""
        body = for_stream(call.body, call.model)
        loop = asyncio.get_running_loop()
        total_at = loop.time() + self._settings.total_timeout_s
        until = min(total_at, loop.time() + self._settings.first_token_timeout_s)
        with self._translated():
            async with asyncio.timeout_at(until):
                response = await self._post(call.operation, body)
            reader = EventReader(
                response, max_event_bytes=LARGEST_CHUNK, max_bytes=self._max_answer_bytes * 8
            )
            end = StreamEnd(self.name)
            try:
                while events := await reader.more(until):
                    for event in events:
                        if event == b"[DONE]":
                            end.done()
                            await reader.finish()
                            return
                        chunk = read_chunk(self.name, event)
                        end.saw(chunk.data)
                        yield chunk
                    until = min(total_at, loop.time() + self._settings.between_chunks_timeout_s)
                end.check()
            finally:
                reader.close()

    async def _post(self, operation: Operation, body: bytes) -> aiohttp.ClientResponse:
        response = await self._session.post(
            self._urls[operation],
            data=body,
            headers=self._headers,
            timeout=self._timeout,
            allow_redirects=False,
        )
        if 200 <= response.status < 300:
            return response
        try:
            text, _ = await _read(response, _LARGEST_ERROR)
        finally:
            response.close()
        raise error_for(self.name, response.status, response.headers, text)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except ProviderError as error:
            if self._key and self._key in error.message:
                error.message = error.message.replace(self._key, "***")
                error.args = (error.message,)
            raise
        except TimeoutError as error:
            raise ProviderTimeoutError(self.name, f"{self.name} was silent for too long.") from error
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            raise ProviderUnavailableError(self.name, f"{self.name} cannot be reached.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ProviderUnavailableError(self.name, f"{self.name} broke the connection.") from error
        except ValueError as error:
            raise ProviderProtocolError(self.name, f"{self.name} sent {error}.") from error


async def _read(response: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool]:
    """Read a body of at most ``limit`` bytes; also say whether that was all of it."""
    pieces: list[bytes] = []
    size = 0
    while data := await response.content.readany():
        pieces.append(data)
        size += len(data)
        if size > limit:
            return b"".join(pieces)[:limit], False
    return b"".join(pieces), True
