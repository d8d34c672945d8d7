"""Heartbeats: silence is broken on this side, and noticed on the other."""

import asyncio
from collections.abc import Callable

from shared.messaging.amqp.frames import HEARTBEAT_FRAME
from shared.messaging.amqp.writer import FrameWriter

_MOST_SILENT_TICKS = 5
"""Two and a half intervals; a peer may be silent for one, and this process slow to look."""


class Heartbeat:
    """Looks twice in each interval at what was written and heard.

    Args:
        interval_s: Agreed with the broker.
        writer: Of the connection.
        on_silence: Called once when nothing was heard for more than two intervals.
    """

    def __init__(self, interval_s: float, writer: FrameWriter, on_silence: Callable[[], None]) -> None:
        self._pause_s = interval_s / 2
        self._writer = writer
        self._on_silence = on_silence
        self._silent_ticks = 0
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._pause_s, self._tick)
        self.heard = False
        """Set by whoever receives something."""

    def stop(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _tick(self) -> None:
        self._silent_ticks = 0 if self.heard else self._silent_ticks + 1
        self.heard = False
        if self._silent_ticks >= _MOST_SILENT_TICKS:
            self._on_silence()
            return
        if not self._writer.wrote:
            self._writer.write((HEARTBEAT_FRAME,))
            self._writer.flush()
        self._writer.wrote = False
        self._timer = self._loop.call_later(self._pause_s, self._tick)
