"""Wakes whoever waits for news of a job."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from uuid import UUID

from services.ingress.adapters.turns import Turns

T = TypeVar("T")


class Watcher:
    """One waiter's view of one job."""

    __slots__ = ("_news", "_watch", "job_id", "looked_at", "seen", "tenant_id")

    def __init__(self, watch: "JobWatch", tenant_id: UUID, job_id: UUID) -> None:
        self._watch = watch
        self._news = asyncio.Event()
        self.tenant_id = tenant_id
        self.job_id = job_id
        self.seen = -1
        """The newest event that the waiter knows of; to be set after each read of the job."""
        self.looked_at = asyncio.get_running_loop().time()

    @property
    def stopping(self) -> bool:
        """Whether the process ends, so that waiting is over."""
        return self._watch.stopping

    async def read(self, work: Callable[[], Awaitable[T]]) -> T:
        """Read the job when it is this waiter's turn.

        Raises:
            DatabaseUnavailableError: PostgreSQL is away.
        """
        return await self._watch.turns.read(work)

    async def wait(self, limit_s: float) -> bool:
        """Return True when there may be news, False after ``limit_s`` without."""
        try:
            async with asyncio.timeout(max(0.0, limit_s)):
                await self._news.wait()
        except TimeoutError:
            return False
        if not self.stopping:
            self._news.clear()
        return True

    def wake(self) -> None:
        """Say that there may be news."""
        self._news.set()


class JobWatch:
    """Who waits for which job."""

    def __init__(self) -> None:
        self._by_job: dict[UUID, set[Watcher]] = {}
        self._by_look: OrderedDict[Watcher, None] = OrderedDict()
        """The one for whom nobody has looked for longest comes first."""
        self.stopping = False
        self.turns = Turns()

    @contextmanager
    def of(self, tenant_id: UUID, job_id: UUID) -> Iterator[Watcher]:
        """Watch a job; begin before reading it, so that no change falls between."""
        watcher = Watcher(self, tenant_id, job_id)
        self._by_job.setdefault(job_id, set()).add(watcher)
        self._by_look[watcher] = None
        if self.stopping:
            watcher.wake()
        try:
            yield watcher
        finally:
            del self._by_look[watcher]
            watchers = self._by_job[job_id]
            watchers.discard(watcher)
            if not watchers:
                del self._by_job[job_id]

    def changed(self, job_ids: Iterable[UUID]) -> None:
        """Wake those who wait for these jobs."""
        for job_id in job_ids:
            for watcher in self._by_job.get(job_id, ()):
                watcher.wake()

    def overdue(self, now: float, *, after_s: float, limit: int, tenants: int) -> Collection[Watcher]:
        """Return those for whom nobody has looked for ``after_s``, longest first; they count as looked for.

        Args:
            now: Of the event loop's clock.
            after_s: Seconds.
            limit: Watchers at most.
            tenants: Of at most so many tenants.
        """
        found: list[Watcher] = []
        seen: set[UUID] = set()
        for watcher in self._by_look:
            seen.add(watcher.tenant_id)
            if watcher.looked_at > now - after_s or len(found) == limit or len(seen) > tenants:
                break
            found.append(watcher)
        for watcher in found:
            watcher.looked_at = now
            self._by_look.move_to_end(watcher)
        return found

    def stop(self) -> None:
        """Wake everybody for good: the process ends."""
        self.stopping = True
        for watcher in self._by_look:
            watcher.wake()
