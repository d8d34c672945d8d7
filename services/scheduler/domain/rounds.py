"""Repeats a task at its interval for as long as this process leads."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from services.scheduler import metrics
from shared.errors import PenstockError

_log = structlog.get_logger(__name__)

SHORTEST_PAUSE_AFTER_FAILURE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """One task of the scheduler and its rhythm; a round that fails, for whatever reason, is repeated."""

    name: str
    task: Callable[[], Awaitable[float | None]]
    """Does one round; returns the seconds until the next one if that is sooner than the interval."""
    interval_s: float
    retry_s: float | None = None
    """Seconds until a failed round is repeated, at least one; None is the interval."""

    async def run(self, *, confirm: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
        """Go round until ``stop`` is set.

        Args:
            confirm: Raises unless this process still leads; asked before every round.
            stop: Ends the pause between rounds; a round under way is finished.
        """
        while not stop.is_set():
            await confirm()
            await pause(await self._once(), stop)

    async def _once(self) -> float:
        try:
            sooner = await self.task()
        except PenstockError as error:
            metrics.FAILURES.labels(self.name).inc()
            _log.warning("round failed", task=self.name, code=error.code, reason=error.message)
            return self._pause_after_failure_s()
        except Exception:  # noqa: BLE001 - what one task trips over, a row of one tenant, must not end the others
            metrics.FAILURES.labels(self.name).inc()
            _log.exception("round failed on a bug", task=self.name)
            return self._pause_after_failure_s()
        return self.interval_s if sooner is None else min(self.interval_s, sooner)

    def _pause_after_failure_s(self) -> float:
        retry_s = self.interval_s if self.retry_s is None else self.retry_s
        return max(retry_s, SHORTEST_PAUSE_AFTER_FAILURE_S)


async def pause(seconds: float, stop: asyncio.Event) -> None:
    """Wait, but no longer than until ``stop`` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
