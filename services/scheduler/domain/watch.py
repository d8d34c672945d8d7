"""Runs the tasks while this process leads, and tries to lead while it does not."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from services.scheduler import metrics
from services.scheduler.domain.rounds import Rounds, pause
from shared.errors import DatabaseUnavailableError

_log = structlog.get_logger(__name__)


class LeadershipLostError(DatabaseUnavailableError):
    """The session that held the lock is gone; another process may lead now."""

    code = "leadership_lost"


class Leadership(Protocol):
    """The right to act, held by at most one process."""

    async def acquire(self) -> bool:
        """Try to get it; False while another process has it.

        Raises:
            DatabaseUnavailableError: Nobody can say.
        """

    async def confirm(self) -> None:
        """Raise LeadershipLostError unless it is certain that this process still has it."""

    async def release(self) -> None:
        """Give it up, so that another process can have it at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The scheduler's main loop."""

    leadership: Leadership
    tasks: Sequence[Rounds]
    interval_s: float
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """Let :meth:`run` return when the rounds under way are done."""
        self._stop.set()

    async def run(self) -> None:
        """Lead whenever possible, until :meth:`stop`."""
        try:
            while not self._stop.is_set():
                if await self._acquire():
                    await self._lead()
                else:
                    await pause(self.interval_s, self._stop)
        finally:
            metrics.LEADER.set(0)
            await self.leadership.release()

    async def _acquire(self) -> bool:
        try:
            return await self.leadership.acquire()
        except DatabaseUnavailableError as error:
            _log.warning("cannot tell who leads", code=error.code)
            return False

    async def _lead(self) -> None:
        _log.info("leading")
        metrics.LEADER.set(1)
        try:
            # In a task of its own: before Python 3.11.5 a group that failed leaves its parent counted as
            # cancelled, and a later time limit of the parent would end in CancelledError.
            await asyncio.gather(self._rounds())
        except* LeadershipLostError:
            _log.warning("leadership lost")
            metrics.LEADER.set(0)

    async def _rounds(self) -> None:
        async with asyncio.TaskGroup() as group:
            for task in self.tasks:
                group.create_task(task.run(confirm=self.leadership.confirm, stop=self._stop))
