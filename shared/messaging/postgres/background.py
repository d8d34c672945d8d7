"""The tasks that a broker runs between ``connect`` and ``close``."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Background:
    """A task group of its own: ``connect`` and ``close`` need not be called by the same task.

    A task that fails is a bug; it ends all of them, and ``failed`` says so from then on.
    """

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._stopping = asyncio.Event()
        self._started = asyncio.Event()
        self._main: asyncio.Task[None] | None = None
        self._members: set[asyncio.Task[None]] = set()

    @property
    def failed(self) -> bool:
        """Whether a task ended with an error."""
        main = self._main
        return main is not None and main.done() and not main.cancelled() and main.exception() is not None

    async def start(self) -> None:
        """Allow :meth:`spawn` from now on; once."""
        self._main = asyncio.get_running_loop().create_task(self._hold())
        await self._started.wait()

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run until it ends or :meth:`stop` is called."""
        task = self._group.create_task(work)
        self._members.add(task)
        task.add_done_callback(self._members.discard)
        return task

    async def stop(self) -> None:
        """Cancel every task and wait for their ends.

        Raises:
            ExceptionGroup: A task had failed.
        """
        self._stopping.set()
        if self._main is not None:
            await self._main

    async def _hold(self) -> None:
        async with self._group:
            self._started.set()
            await self._stopping.wait()
            for task in self._members:
                task.cancel()
