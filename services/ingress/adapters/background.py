"""Work that a request starts and does not wait for."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from shared.errors import PenstockError

_log = structlog.get_logger()


class Background:
    """Runs small coroutines beside the requests, at most ``limit`` at a time.

    An outage that stops one is logged; any other failure ends the process, as it is a bug.
    """

    def __init__(self, tasks: asyncio.TaskGroup, *, limit: int = 5_000) -> None:
        self._tasks = tasks
        self._limit = limit
        self._running = 0

    def run(self, work: Coroutine[Any, Any, None], *, what: str) -> None:
        """Start; drop the work with a warning when too much is under way."""
        if self._running >= self._limit:
            work.close()
            _log.warning("too much work in the background", dropped=what)
            return
        self._running += 1
        self._tasks.create_task(self._guard(work, what))

    async def _guard(self, work: Coroutine[Any, Any, None], what: str) -> None:
        try:
            await work
        except PenstockError as error:
            _log.warning("background work failed", what=what, code=error.code, reason=error.message)
        finally:
            self._running -= 1
