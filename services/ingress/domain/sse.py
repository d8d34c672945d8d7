"""Server-sent events. Source: the HTML standard, section 9.2."""

import orjson

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"


def chunks(lines: bytes, *, include_usage: bool) -> bytes:
    """Frame the chunks of one delta, one JSON text per line.

    Args:
        lines: The body of a ``JobDelta``.
        include_usage: Whether to keep the chunk that only reports usage; the worker always asks for it.
    """
    lines = lines.strip(b"\n")
    # A quote inside a JSON string is escaped, so this never matches text that a model wrote.
    if not include_usage and (b'"choices":[]' in lines or b'"choices": []' in lines):
        lines = b"\n".join(line for line in lines.split(b"\n") if not _is_usage(line))
    return b"data: %s\n\n" % lines.replace(b"\n", b"\n\ndata: ") if lines else b""


def _is_usage(line: bytes) -> bool:
    if b'"usage"' not in line:
        return False
    chunk = orjson.loads(line)
    return chunk.get("choices") == [] and chunk.get("usage") is not None


def data(value: object) -> bytes:
    """Frame one value as an event without a name."""
    return b"data: %s\n\n" % orjson.dumps(value)


def event(*, sequence: int, name: str, text: str) -> bytes:
    """Frame one event that a reader can resume after."""
    lines = text.replace("\r", "").replace("\n", "\ndata: ")
    return f"id: {sequence}\nevent: {name}\ndata: {lines}\n\n".encode()
