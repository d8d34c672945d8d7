"""The files and batches of a provider that speaks the OpenAI protocol."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import aiohttp
import orjson

from services.provider_worker.adapters.http_errors import error_for
from services.provider_worker.domain.answers import object_of
from shared.config.catalog import Target
from shared.contracts.jobs import Operation
from shared.errors import ProviderProtocolError, ProviderRejectedError, ProviderUnavailableError

METADATA = "penstock"
"""Key of a batch's metadata that holds our id of it."""
ENDPOINTS = {
    Operation.CHAT: "/v1/chat/completions",
    Operation.COMPLETION: "/v1/completions",
    Operation.EMBEDDING: "/v1/embeddings",
}
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_STOPPABLE = frozenset({"validating", "in_progress"})
_LARGEST_ERROR = 64 * 1024
_LARGEST_OBJECT = 4 * 1024 * 1024
_PAGES = 100
_NO_SUCH_API = (404, 405)
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RemoteBatch:
    """A batch as the provider tells."""

    id: str
    status: str
    output_file_id: str | None
    error_file_id: str | None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in _ENDED

    @property
    def stoppable(self) -> bool:
        """Whether it can be told to stop."""
        return self.status in _STOPPABLE


class OpenAIBatches:
    """The batch API of one provider. Time limits are the caller's; every method raises ``ProviderError``.

    Args:
        target: Whose; its key and address.
        session: Shared by all providers of the process.
    """

    def __init__(self, target: Target, session: aiohttp.ClientSession) -> None:
        if target.settings.base_url is None:
            raise ProviderUnavailableError(target.provider, f"{target.provider} has no base_url.")
        self._name = target.provider
        self._root = target.settings.base_url.rstrip("/")
        self._session = session
        key = target.settings.api_key
        self._headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=target.settings.connect_timeout_s)

    async def upload(self, lines: bytes, *, name: str) -> str:
        """Upload an input; returns the id of the file."""
        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        form.add_field("file", lines, filename=f"{name}.jsonl", content_type="application/jsonl")
        return _text(self._name, await self._object("POST", "/files", data=form), "id")

    async def create(self, file_id: str, *, operation: Operation, ours: str) -> RemoteBatch:
        """Create a batch; it can be found by ``ours`` from then on."""
        wanted = {
            "input_file_id": file_id,
            "endpoint": ENDPOINTS[operation],
            "completion_window": "24h",
            "metadata": {METADATA: ours},
        }
        return self._batch(await self._object("POST", "/batches", json=wanted))

    async def find(self, ours: str, *, since: datetime) -> Sequence[RemoteBatch]:
        """Return every batch that was created for ours, the oldest first; none where there is no such API.

        Args:
            ours: Our id.
            since: None of them is older.
        """
        found: list[RemoteBatch] = []
        after: str | None = None
        for _ in range(_PAGES):
            try:
                page = await self._object("GET", "/batches?limit=100" + (f"&after={after}" if after else ""))
            except ProviderRejectedError as error:
                if error.status in _NO_SUCH_API and after is None:
                    return ()
                raise
            data = [entry for entry in page.get("data") or () if isinstance(entry, dict)]
            found += [self._batch(entry) for entry in data if _ours(entry) == ours]
            oldest = min((entry.get("created_at") or 0 for entry in data), default=0)
            if not data or not page.get("has_more") or oldest < since.timestamp():
                return found[::-1]
            after = _text(self._name, data[-1], "id")
        raise ProviderProtocolError(self._name, f"{self._name} lists batches without end.")

    async def get(self, remote_id: str) -> RemoteBatch:
        """Look at a batch."""
        return self._batch(await self._object("GET", f"/batches/{remote_id}"))

    async def cancel(self, remote_id: str) -> RemoteBatch:
        """Tell a batch to stop."""
        return self._batch(await self._object("POST", f"/batches/{remote_id}/cancel"))

    async def lines(
        self, file_id: str, *, offset: int, longest: int
    ) -> AsyncGenerator[tuple[bytes, int], None]:
        """Yield the lines of a file from an offset on, each with the offset behind it.

        Args:
            file_id: The provider's.
            offset: Where a line begins; not every provider can begin there, so what is before it is read.
            longest: A longer line is refused.
        """
        skip, rest, place = offset, b"", offset
        async with self._request("GET", f"/files/{file_id}/content") as response:
            async for data in response.content.iter_any():
                left = data[skip:]
                skip -= len(data) - len(left)
                *whole, rest = (rest + left).split(b"\n")
                for line in whole:
                    place += len(line) + 1
                    yield line, place
                if len(rest) > longest:
                    raise ProviderProtocolError(self._name, f"{self._name} wrote a line that is too long.")
        if rest:
            yield rest, place + len(rest)

    def _batch(self, entry: Mapping[str, Any]) -> RemoteBatch:
        return RemoteBatch(
            id=_text(self._name, entry, "id"),
            status=_text(self._name, entry, "status"),
            output_file_id=entry.get("output_file_id"),
            error_file_id=entry.get("error_file_id"),
        )

    async def _object(
        self, method: str, path: str, *, data: object = None, json: object = None
    ) -> dict[str, Any]:
        headers = {}
        if json is not None:
            data, headers = orjson.dumps(json), {"Content-Type": "application/json"}
        async with self._request(method, path, data=data, headers=headers) as response:
            text = await response.content.read(_LARGEST_OBJECT)
            while more := await response.content.read(_LARGEST_OBJECT):
                text += more
                if len(text) > _LARGEST_OBJECT:
                    raise ProviderProtocolError(self._name, f"{self._name} answered more than is allowed.")
        return object_of(self._name, text)

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, *, data: object = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._session.request(
                method,
                self._root + path,
                data=data,
                headers={**self._headers, **headers},
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                if not 200 <= response.status < 300:
                    text = await response.content.read(_LARGEST_ERROR)
                    raise error_for(self._name, response.status, response.headers, text)
                yield response
        except (aiohttp.ClientError, OSError) as error:
            raise ProviderUnavailableError(self._name, f"{self._name} broke the connection.") from error


def _ours(entry: Mapping[str, Any]) -> object:
    metadata = entry.get("metadata")
    return metadata.get(METADATA) if isinstance(metadata, dict) else None


def _text(provider: str, entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not value.replace("-", "").replace("_", "").isalnum():
        raise ProviderProtocolError(provider, f"{provider} answered without a usable {name!r}.")
    return value
