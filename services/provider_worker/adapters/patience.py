"""Waits for a dependency that is away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from shared.errors import PenstockError

_log = structlog.get_logger(__name__)

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0

T = TypeVar("T")


async def until_done(action: Callable[[], Awaitable[T]]) -> T:
    """Try something again until its dependency is back; a cancellation (SIGTERM) ends it.

    Raises:
        PenstockError: It failed for a reason that waiting does not heal.
    """
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return await action()
        except PenstockError as error:
            if not error.retryable:
                raise
            _log.warning("waiting for a dependency", code=error.code, reason=error.message)
        await asyncio.sleep(pause_s)
        pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)
