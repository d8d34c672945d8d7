"""Reading a ``multipart/form-data`` body as it arrives: small fields, and one file that goes elsewhere.

Source: RFC 7578.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from services.ingress.api.body import SlowBodyError
from services.ingress.api.context import context_of
from services.ingress.domain.client_gone import ClientGoneError
from shared.errors import InvalidRequestError, PayloadTooLargeError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_FIELDS = 16
MAX_FIELD_BYTES = 4096
SLOWEST_BYTES_PER_S = 4096
"""On the average: whoever is slower keeps others from their turn, for ever."""
Sink = Callable[[bytes], Awaitable[None]]


@dataclass(slots=True)
class Form:
    """What was read."""

    fields: dict[str, str] = field(default_factory=dict)
    filename: str | None = None
    has_file: bool = False


@dataclass(slots=True)
class _Part:
    name: str = ""
    filename: str | None = None
    is_file: bool = False
    headers: dict[bytes, bytes] = field(default_factory=dict)
    value: bytearray = field(default_factory=bytearray)


class _Reader:
    """Collects what the parser calls back, so that the file's bytes can be awaited between two chunks."""

    def __init__(self, file_field: str) -> None:
        self.form = Form()
        self.file_bytes: list[bytes] = []
        self.ended = False
        self._file_field = file_field
        self._part = _Part()
        self._header = (bytearray(), bytearray())

    def on_part_begin(self) -> None:
        self._part = _Part()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def on_header_end(self) -> None:
        name, value = self._header
        self._part.headers[bytes(name).lower()] = bytes(value)
        self._header = (bytearray(), bytearray())

    def on_headers_finished(self) -> None:
        part = self._part
        disposition = part.headers.get(b"content-disposition", b"")
        _, options = parse_options_header(disposition.decode("latin-1"))
        part.name = options.get(b"name", b"").decode("utf-8", "replace")
        filename = options.get(b"filename")
        part.filename = None if filename is None else filename.decode("utf-8", "replace")
        part.is_file = part.name == self._file_field
        if part.is_file:
            if self.form.has_file:
                raise InvalidRequestError(f"Send one '{part.name}' only.", param=part.name)
            self.form.has_file, self.form.filename = True, part.filename
        elif len(self.form.fields) >= MAX_FIELDS:
            raise InvalidRequestError("The form has too many fields.")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        if part.is_file:
            self.file_bytes.append(data[start:end])
            return
        part.value += data[start:end]
        if len(part.value) > MAX_FIELD_BYTES:
            raise InvalidRequestError(f"{part.name[:80]!r} is too long.", param=part.name[:80])

    def on_part_end(self) -> None:
        part = self._part
        if not part.is_file:
            self.form.fields[part.name] = part.value.decode("utf-8", "replace")

    def on_end(self) -> None:
        self.ended = True


async def read_form(
    request: Request, *, file_field: str, sink: Sink, max_bytes: int, silence_s: float
) -> Form:
    """Read the whole form; the file's content goes to ``sink`` while it arrives.

    Raises:
        InvalidRequestError: It is no such form, or is cut short.
        PayloadTooLargeError: It is longer than ``max_bytes``.
        SlowBodyError: Nothing came for ``silence_s``, or hardly anything for longer.
        ClientGoneError: The connection was closed before its end.
    """
    reader = _Reader(file_field)
    parser = MultipartParser(_boundary(request), callbacks=_callbacks(reader))
    clock = asyncio.get_running_loop().time
    began_at, size = clock(), 0
    async for chunk in _chunks(request, silence_s):
        size += len(chunk)
        if size > max_bytes:
            raise PayloadTooLargeError(f"The form must not be longer than {max_bytes} bytes.")
        if size < SLOWEST_BYTES_PER_S * (clock() - began_at - silence_s):
            raise _slow()
        try:
            parser.write(chunk)
        except FormParserError as error:
            raise InvalidRequestError("The body is not a valid multipart form.") from error
        for data in reader.file_bytes:
            await sink(data)
        reader.file_bytes.clear()
    if not reader.ended:
        raise InvalidRequestError("The multipart form is cut short.")
    if not reader.form.has_file:
        raise InvalidRequestError(f"Missing required parameter: '{file_field}'.", param=file_field)
    return reader.form


def _callbacks(reader: _Reader) -> "MultipartCallbacks":
    return {
        "on_part_begin": reader.on_part_begin,
        "on_header_field": reader.on_header_field,
        "on_header_value": reader.on_header_value,
        "on_header_end": reader.on_header_end,
        "on_headers_finished": reader.on_headers_finished,
        "on_part_data": reader.on_part_data,
        "on_part_end": reader.on_part_end,
        "on_end": reader.on_end,
    }


def _boundary(request: Request) -> bytes:
    content_type = context_of(request.scope).given.get(b"content-type", b"").decode("latin-1")
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 70:  # RFC 2046, section 5.1.1
        raise InvalidRequestError("Send the file as multipart/form-data.", param="Content-Type")
    return boundary


async def _chunks(request: Request, silence_s: float) -> AsyncIterator[bytes]:
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(silence_s):
                chunk = await anext(stream, None)
        except TimeoutError:
            raise _slow() from None
        except ClientDisconnect:
            raise ClientGoneError("The client closed the connection.") from None
        if chunk is None:
            return
        if chunk:
            yield chunk


def _slow() -> SlowBodyError:
    return SlowBodyError("The body of the request did not arrive in time.")
