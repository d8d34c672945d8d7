"""Tells of a sampled stack what the process was doing for a request."""

import re
from collections import Counter

_FRAME = re.compile(r"(?P<name>.*) \((?P<file>[^()]*?)(:\d+)?\)$")
_BROKER = ("shared/messaging/",)
_SENDING = re.compile(r"publish|send|write|flush|drain|reply|wire|encode", re.IGNORECASE)
_OURS = "services/"
_IDLE_THREAD = "concurrent/futures/thread.py"
"""It waits for work inside a C function, which a sampler takes for running."""

_PARTS = (
    ("telemetry", ("opentelemetry/", "prometheus_client/", "structlog/", "shared/observability/")),
    ("messages: encode, decode", ("shared/contracts/",)),
    ("provider call", ("aiohttp/", "provider_worker/adapters/openai_provider", "adapters/http_errors")),
    ("PostgreSQL client", ("asyncpg/", "shared/storage/", "results/adapters/")),
    ("Redis client", ("redis/",)),
    ("authentication, admission", ("ingress/api/gate", "ingress/adapters/api_keys", "shared/security/")),
    (
        "HTTP: parse, serve",
        ("uvicorn/", "starlette/", "fastapi/", "ingress/api/server", "ingress/api/connection"),
    ),
    ("prices, usage", ("provider_worker/domain/costs", "provider_worker/domain/pricing", "domain/tokens")),
    ("routing, checks, answer", ("ingress/api/", "ingress/domain/", "ingress/adapters/")),
    ("handling of the job", ("provider_worker/",)),
    ("handling of results", ("results/",)),
)
LOOP = "event loop, sockets"


def part_of(stack: list[str]) -> str:
    """Name the part of a stack, from its outermost frame to its innermost.

    The innermost frame that belongs to a part decides: a library called by the provider's client counts
    as the provider call. Frames of the standard library and of C code count to their callers.
    """
    files = [_file(frame) for frame in stack]
    for depth in range(len(stack) - 1, -1, -1):
        if any(mark in files[depth] for mark in _BROKER):
            return _direction(stack, files, depth)
        for part, marks in _PARTS:
            if any(mark in files[depth] for mark in marks):
                return part
    return LOOP


def samples(raw: str) -> Counter[str]:
    """Count the samples of each part in a profile of py-spy's format ``raw``."""
    parts: Counter[str] = Counter()
    for line in raw.splitlines():
        joined, count = line.rsplit(" ", 1)
        stack = joined.split(";")
        if _IDLE_THREAD not in stack[-1]:
            parts[part_of(stack)] += int(count)
    return parts


def _direction(stack: list[str], files: list[str], depth: int) -> str:
    """Ours calling the broker's client publishes; the client's own tasks receive, unless they write."""
    caller = max((at for at in range(depth) if _OURS in files[at]), default=None)
    called_by_ours = caller is not None and "__main__" not in files[caller]
    innermost = stack[depth].split(" (", 1)[0]
    if called_by_ours or _SENDING.search(innermost):
        return "broker: publish, settle"
    return "broker: receive, confirms"


def _file(frame: str) -> str:
    found = _FRAME.match(frame)
    return found["file"] if found else frame
