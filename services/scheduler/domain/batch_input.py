"""A batch's input, cut into lines in bounded memory."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.scheduler.domain.batch_line import BOM

Read = Callable[[int, int], Awaitable[bytes]]
"""Returns bytes of the input: from an offset on, at most so many."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines that follow each other."""

    texts: list[bytes]
    """Without their ends; empty ones too, so that lines can be counted."""
    offset: int
    """Where the next line begins."""
    last: bool
    """Whether the input ends here."""
    too_long: bool = False
    """Whether the next line is longer than any may be."""


async def next_lines(read: Read, offset: int, *, most: int, chunk_bytes: int, max_line_bytes: int) -> Lines:
    """Read some lines.

    Args:
        read: Gives the input's bytes.
        offset: Where a line begins.
        most: Lines at most.
        chunk_bytes: Bytes that are read at once; more only for a line that is longer.
        max_line_bytes: A longer line is none.
    """
    size = chunk_bytes
    while True:
        data = await read(offset, size)
        whole = len(data) < size
        end = len(data) if whole else data.rfind(b"\n") + 1
        if end or whole:
            break
        if size >= max_line_bytes:
            return Lines([], offset, last=False, too_long=True)
        size = min(4 * size, max_line_bytes)
    texts = data[:end].split(b"\n", most)
    left = texts.pop()  # behind the last line that was asked for, or nothing behind the last line's end
    if whole and left and len(texts) < most:
        texts.append(left)
        left = b""
    taken = end - len(left)
    if offset == 0 and texts:
        texts[0] = texts[0].removeprefix(BOM)
    return Lines(texts, offset + taken, last=whole and taken == len(data))
