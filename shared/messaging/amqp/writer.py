"""What is to be written, gathered over one turn of the event loop: a system call costs more than a frame."""

import asyncio
from collections.abc import Callable, Sequence

HIGH_WATER = 512 * 1024
"""Bytes that wait for the peer, from which on who publishes has to wait as well."""

Piece = bytes | memoryview


class FrameWriter:
    """The writing half of a connection."""

    __slots__ = (
        "_hooks",
        "_loop",
        "_paused",
        "_pieces",
        "_resumed",
        "_scheduled",
        "_size",
        "_transport",
        "wrote",
    )

    def __init__(self, transport: asyncio.Transport) -> None:
        transport.set_write_buffer_limits(high=HIGH_WATER)
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._pieces: list[Piece] = []
        self._hooks: list[Callable[[], None]] = []
        self._size = 0
        self._scheduled = False
        self._paused = False
        self._resumed = asyncio.Event()
        self.wrote = False
        """Set whenever something is written; who watches the silence clears it."""

    @property
    def full(self) -> bool:
        """Whether so much waits that no message should be added."""
        return self._paused or self._size > HIGH_WATER

    async def room(self) -> None:
        """Wait until not :attr:`full`; the caller sets the limit of time."""
        while self.full:
            self._resumed.clear()
            await self._resumed.wait()

    def write(self, pieces: Sequence[Piece], size: int = 0) -> None:
        """Queue for the end of this turn.

        Args:
            pieces: Whole frames, cut anywhere.
            size: Bytes that count for :attr:`full`; 0 for what is small anyway.
        """
        self._pieces += pieces
        self._size += size
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._end_turn)

    def before_flush(self, hook: Callable[[], None]) -> None:
        """Call back once when this turn's frames are written, to add some."""
        self._hooks.append(hook)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._end_turn)

    def flush(self) -> None:
        """Write what is queued, before the turn ends."""
        hooks, self._hooks = self._hooks, []
        for hook in hooks:
            hook()
        if not self._pieces:
            return
        data = b"".join(self._pieces)
        self._pieces.clear()
        was_full = self._size > HIGH_WATER
        self._size = 0
        self.wrote = True
        if not self._transport.is_closing():
            self._transport.write(data)
        if was_full and not self._paused:
            self._resumed.set()

    def pause(self) -> None:
        """Note that the peer takes less than is written."""
        self._paused = True

    def resume(self) -> None:
        """Note that the peer took most of it."""
        self._paused = False
        self._resumed.set()

    def _end_turn(self) -> None:
        self._scheduled = False
        self.flush()
