"""Lines out of a file that is read in pieces, and what a line must be."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.domain.batch_input import Lines, next_lines
from services.scheduler.domain.batch_line import BOM, LineError, read_line

URL = "/v1/chat/completions"


async def cut(content: bytes, *, most: int = 3, chunk: int = 8, longest: int = 4096) -> list[bytes]:
    async def read(offset: int, size: int) -> bytes:
        return content[offset : offset + size]

    found: list[bytes] = []
    offset = 0
    while True:
        lines = await next_lines(read, offset, most=most, chunk_bytes=chunk, max_line_bytes=longest)
        assert len(lines.texts) <= most
        found += lines.texts
        if lines.last:
            assert lines.offset == len(content)
            return found
        assert lines.offset > offset
        offset = lines.offset


@given(
    st.lists(st.binary(max_size=40).map(lambda text: text.replace(b"\n", b"")), max_size=20),
    st.booleans(),
    st.integers(1, 5),
    st.integers(1, 64),
)
async def test_lines_are_the_same_however_the_file_is_read(
    texts: list[bytes], end: bool, most: int, chunk: int
) -> None:
    content = b"\n".join(texts) + (b"\n" if end and texts else b"")
    expected = content.removesuffix(b"\n").split(b"\n") if content else []
    if not content.startswith(BOM):
        assert await cut(content, most=most, chunk=chunk) == expected


async def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert await cut(BOM + b"one\ntwo") == [b"one", b"two"]


async def test_a_line_that_is_too_long_is_told() -> None:
    async def read(offset: int, size: int) -> bytes:
        return b"x" * size

    lines = await next_lines(read, 0, most=3, chunk_bytes=8, max_line_bytes=100)
    assert lines == Lines([], 0, last=False, too_long=True)


def text(**fields: Any) -> bytes:
    whole = {"custom_id": "a", "method": "POST", "url": URL, "body": {"model": "m"}, **fields}
    return json.dumps({name: value for name, value in whole.items() if value is not ...}).encode()


def test_a_body_stays_as_it_was_written() -> None:
    body = b'{"model": "m", "n": 1e400, "id": 123456789012345678901234567890, "t": "\\u00e9\\u0000"}'
    whole = b'{"body": {"model": "x"}, "custom_id":"a","method":"POST","url":"%s" , "body" :%s }\r'
    line = read_line(
        whole.replace(b"1e400", b"1") % (URL.encode(), body.replace(b"1e400", b"1")), endpoint=URL
    )
    assert line.body == body.replace(b"1e400", b"1")
    assert (line.custom_id, line.model) == ("a", "m")


@pytest.mark.parametrize(
    ("line", "code", "param"),
    [
        (b"[1]", "invalid_json_line", None),
        (b'{"custom_id": "\\ud800"}', "invalid_json_line", None),
        (text(custom_id=...), "missing_required_parameter", "custom_id"),
        (text(custom_id=7), "invalid_type", "custom_id"),
        (text(custom_id=""), "invalid_value", "custom_id"),
        (text(custom_id="a\0"), "invalid_value", "custom_id"),
        (text(custom_id="a" * 513), "invalid_value", "custom_id"),
        (text(method="GET"), "invalid_method", "method"),
        (text(url="/v1/embeddings"), "invalid_url", "url"),
        (text(body=...), "missing_required_parameter", "body"),
        (text(body=[]), "invalid_type", "body"),
        (text(body={}), "missing_required_parameter", "body.model"),
        (text(body={"model": 1}), "invalid_type", "body.model"),
        (text(body={"model": "m", "stream": True}), "invalid_value", "body.stream"),
    ],
)
def test_a_line_that_cannot_be_used_says_why(line: bytes, code: str, param: str | None) -> None:
    with pytest.raises(LineError) as raised:
        read_line(line, endpoint=URL)
    assert (raised.value.code, raised.value.param) == (code, param)
