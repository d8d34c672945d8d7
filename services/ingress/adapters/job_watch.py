"""Wakes whoever waits for news of a job."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import UUID

LOOK_AGAIN_S = 2.0
"""Broadcasts may be lost, so a waiter looks again after this long without one."""


class Watcher:
    """One waiter's view of one job."""

    def __init__(self, watch: "JobWatch") -> None:
        self._watch = watch
        self.news = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """Whether the process ends, so that waiting is over."""
        return self._watch.stopping

    async def wait(self, limit_s: float) -> None:
        """Return when there may be news, at the latest after ``limit_s`` or :data:`LOOK_AGAIN_S`."""
        try:
            async with asyncio.timeout(max(0.0, min(limit_s, LOOK_AGAIN_S))):
                await self.news.wait()
        except TimeoutError:
            return
        finally:
            if not self.stopping:
                self.news.clear()


class JobWatch:
    """Who waits for which job."""

    def __init__(self) -> None:
        self._watchers: dict[UUID, set[Watcher]] = {}
        self.stopping = False

    @contextmanager
    def of(self, job_id: UUID) -> Iterator[Watcher]:
        """Watch a job; begin before reading it, so that no change falls between."""
        watcher = Watcher(self)
        watchers = self._watchers.setdefault(job_id, set())
        watchers.add(watcher)
        if self.stopping:
            watcher.news.set()
        try:
            yield watcher
        finally:
            watchers.discard(watcher)
            if not watchers:
                self._watchers.pop(job_id, None)

    def changed(self, job_ids: Iterable[UUID]) -> None:
        """Wake those who wait for these jobs."""
        for job_id in job_ids:
            for watcher in self._watchers.get(job_id, ()):
                watcher.news.set()

    def stop(self) -> None:
        """Wake everybody for good: the process ends."""
        self.stopping = True
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.news.set()
