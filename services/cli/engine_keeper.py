"""Keeps an embedded engine running: the supervisor's side of ``shared.runtime.engines``."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from services.cli.backoff import Backoff
from services.cli.state import Entry
from shared.runtime.engines.engine import Engine
from shared.runtime.engines.errors import EngineError

WATCH_INTERVAL_S = 0.5
"""An engine is no child whose end is announced: it may have been found running."""
TRIM_INTERVAL_S = 60.0


@dataclass(kw_only=True)
class EngineKeeper:
    """Starts, watches and stops one engine; its blocking calls run in threads."""

    engine: Engine
    on_change: Callable[[], None]
    warn: Callable[[str, str, str], None]
    backoff: Backoff = field(default_factory=Backoff)

    def __post_init__(self) -> None:
        self.entry = Entry(name=self.engine.name)
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Start it for the first time.

        Raises:
            EngineError: It does not start; the message says why.
        """
        await asyncio.to_thread(self.engine.start)
        self._note_running()

    async def watch(self) -> None:
        """Start it again whenever it is gone; returns after :meth:`stop` was called."""
        trimmed = time.monotonic()
        while not await self._stopped_within(WATCH_INTERVAL_S):
            if not await asyncio.to_thread(self.engine.running):
                await self._restart()
            if time.monotonic() - trimmed >= TRIM_INTERVAL_S:
                trimmed = time.monotonic()
                await asyncio.to_thread(self.engine.trim_log)

    async def stop(self) -> None:
        """Stop watching, and the engine; bounded by the engine itself."""
        self._stopping.set()
        await asyncio.to_thread(self.engine.stop)
        self.entry.state, self.entry.pid = "stopped", None
        self.on_change()

    async def _restart(self) -> None:
        lived_s = time.time() - (self.entry.started_at or 0.0)
        self.entry.state, self.entry.pid = "restarting", None
        self.entry.restarts += 1
        self.entry.reason = "it ended"
        self.on_change()
        self.warn(self.engine.name, "error", "ended; starting it again")
        if await self._stopped_within(self.backoff.after(lived_s)):
            return
        try:
            await asyncio.to_thread(self.engine.start)
        except EngineError as error:
            self.entry.reason = str(error)
            self.warn(self.engine.name, "error", str(error))
        else:
            self._note_running()

    def _note_running(self) -> None:
        self.entry.state, self.entry.pid = "running", self.engine.pid
        self.entry.started_at = time.time()
        self.on_change()

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True
