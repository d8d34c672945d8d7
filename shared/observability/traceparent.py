"""The ``traceparent`` header: where a request stands in a trace. Source: W3C Trace Context, level 1."""

import re
import secrets
from dataclasses import dataclass
from typing import Self

HEADER = "traceparent"
_LONGEST = 512
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_PATTERN = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(frozen=True, slots=True)
class TraceParent:
    """A span of somebody's, named so that others can be its children."""

    trace_id: str
    """32 hexadecimal digits, not all zero."""
    span_id: str
    """16 hexadecimal digits, not all zero."""
    sampled: bool = True

    @classmethod
    def parse(cls, header: str | None) -> Self | None:
        """Read the header; None when there is none or it is not valid, as the standard wants.

        A version of the future is read by its first four fields.
        """
        match = _PATTERN.fullmatch(header.strip()) if header and len(header) <= _LONGEST else None
        if match is None:
            return None
        version, trace_id, span_id, flags, more = match.groups()
        if version == "ff" or (more and version == "00") or trace_id == _NO_TRACE or span_id == _NO_SPAN:
            return None
        return cls(trace_id, span_id, bool(int(flags, 16) & 1))

    @classmethod
    def make(cls, *, sampled: bool = True) -> Self:
        """Begin a trace."""
        return cls(_random_hex(16), _random_hex(8), sampled)

    def __str__(self) -> str:
        """Spell the header's value."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


def _random_hex(size: int) -> str:
    while not any(number := secrets.token_bytes(size)):
        pass
    return number.hex()
