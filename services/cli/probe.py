"""Asks a service on its admin port whether it is ready."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 2.5


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a service says of itself."""

    ready: bool
    why: str
    """Empty when ready without any complaint."""


async def readiness(port: int, *, timeout_s: float = TIMEOUT_S) -> Readiness:
    """Ask once; bounded, and never an error."""
    try:
        async with asyncio.timeout(timeout_s):
            status, body = await _get("127.0.0.1", port, "/health/ready")
    except TimeoutError:
        return Readiness(ready=False, why=f"no answer within {timeout_s:g} s")
    except (OSError, IndexError, ValueError):
        return Readiness(ready=False, why="does not answer yet")
    return Readiness(ready=status == 200, why=_complaints(body))


async def hangs(port: int, *, timeout_s: float) -> bool:
    """Whether a service has its port open and yet does not answer that it lives; one that starts has not."""
    try:
        async with asyncio.timeout(timeout_s):
            await _get("127.0.0.1", port, "/health/live")
    except TimeoutError:
        return True
    except (OSError, IndexError, ValueError):
        return False
    return False


async def _get(host: str, port: int, path: str) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read(65536)
        while more := await reader.read(65536):
            answer += more
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body


def _complaints(body: bytes) -> str:
    try:
        report: dict[str, Any] = json.loads(body)
        dependencies = report.get("dependencies", {})
        return "; ".join(f"{name}: {word}" for name, word in dependencies.items() if word != "ok")
    except (ValueError, AttributeError):
        return ""
