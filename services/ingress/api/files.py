"""``/v1/files``: upload, list, show, download, delete."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import quote
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from services.ingress.adapters.file_rows import FileRows
from services.ingress.adapters.uploads import Uploads
from services.ingress.api.answers import json_answer
from services.ingress.api.context import context_of, principal_of
from services.ingress.api.form import read_form
from services.ingress.api.listing import list_answer
from services.ingress.domain.file import render_deleted
from services.ingress.domain.file_form import file_name, read_file_form
from services.ingress.domain.page import read_page
from services.ingress.settings import IngressSection
from shared.contracts.batches import parse_file_id
from shared.errors import PayloadTooLargeError
from shared.storage.files import FileStore

_CHUNK_BYTES = 256 * 1024
_FORM_BYTES = 64 * 1024
"""Room for what surrounds the file in the form."""


class FileEndpoints:
    """What the routes of files do."""

    def __init__(
        self, *, rows: FileRows, uploads: Uploads, store: FileStore, settings: IngressSection
    ) -> None:
        self._rows = rows
        self._uploads = uploads
        self._store = store
        self._settings = settings

    async def upload(self, request: Request) -> Response:
        """Store a file; the answer means that it is durable."""
        longest = self._settings.max_file_bytes + _FORM_BYTES
        declared = context_of(request.scope).given.get(b"content-length", b"")
        if declared.isdigit() and int(declared) > longest:
            raise PayloadTooLargeError(
                f"A file must not be longer than {self._settings.max_file_bytes} bytes.", param="file"
            )
        async with self._uploads.begin(principal_of(request).tenant_id, datetime.now(UTC)) as upload:
            form = await read_form(
                request,
                file_field="file",
                sink=upload.write,
                max_bytes=longest,
                silence_s=self._settings.body_timeout_s,
            )
            file = await upload.finish(
                read_file_form(form.fields),
                filename=file_name(form.filename),
                batch_expires_s=self._settings.batch_file_s,
            )
        return json_answer(file.render())

    async def list(self, request: Request) -> Response:
        """Show one page of files."""
        wanted = read_page(
            request.query_params,
            known=("after", "limit", "order", "purpose"),
            default=10_000,
            most=10_000,
            parse_id=parse_file_id,
        )
        files, has_more = await self._rows.page(principal_of(request).tenant_id, wanted)
        return list_answer([file.render() for file in files], has_more=has_more)

    async def get(self, request: Request) -> Response:
        """Show a file."""
        file = await self._rows.get(principal_of(request).tenant_id, _file_id(request))
        return json_answer(file.render())

    async def content(self, request: Request) -> Response:
        """Send a file as it was uploaded or written."""
        file, parts = await self._rows.content(principal_of(request).tenant_id, _file_id(request))
        pieces = self._store.stream(parts, chunk_bytes=_CHUNK_BYTES)
        # Read before the answer begins, so that a store that is away is an error and not a broken answer.
        first = await anext(pieces, b"")
        headers = {
            "content-length": str(file.bytes),
            "content-disposition": f"attachment; filename*=UTF-8''{quote(file.filename, safe='')}",
        }
        return StreamingResponse(
            _after(first, pieces), headers=headers, media_type="application/octet-stream"
        )

    async def delete(self, request: Request) -> Response:
        """Delete a file."""
        file_id = _file_id(request)
        await self._rows.delete(principal_of(request).tenant_id, file_id)
        return json_answer(render_deleted(file_id))


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def _file_id(request: Request) -> UUID:
    return parse_file_id(request.path_params["file_id"])
