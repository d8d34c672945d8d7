"""Acknowledgements of one turn of the event loop, combined."""

from struct import Struct

from shared.messaging.amqp.frames import METHOD
from shared.messaging.amqp.methods import BASIC_ACK
from shared.messaging.amqp.writer import FrameWriter

_ACK = Struct(">BHIIQ?B")
_PAYLOAD_SIZE = 13
_END = 0xCE


class Acknowledgements:
    """Collects the settled deliveries of one channel and acknowledges them in few frames.

    Tags that follow each other from the oldest unsettled one on become one frame for all of them; those
    beyond a delivery that is still held get a frame each. A tag that is not settled is never covered.
    """

    __slots__ = ("_channel", "_floor", "_settled", "_told", "_writer")

    def __init__(self, channel: int, writer: FrameWriter) -> None:
        self._channel = channel
        self._writer = writer
        self._floor = 0
        """The highest tag up to which everything is settled, and the broker knows."""
        self._told: set[int] = set()
        """Tags above the floor of which the broker knows."""
        self._settled: set[int] = set()
        """Tags of which it is to be told."""

    def add(self, tag: int) -> None:
        """Acknowledge a delivery when the turn ends."""
        if not self._settled:
            self._writer.before_flush(self.emit)
        self._settled.add(tag)

    def skip(self, tag: int) -> None:
        """Note a delivery that was settled in another way."""
        self._told.add(tag)

    def forget(self) -> None:
        """Tell the broker nothing more: a frame after the end of its channel would end the connection."""
        self._settled = set()

    def emit(self) -> None:
        """Queue the frames for what was collected."""
        if not self._settled:
            return
        settled, told, floor = self._settled, self._told, self._floor
        self._settled = set()
        covered = 0
        while True:
            following = floor + 1
            if following in settled:
                settled.remove(following)
                covered = following
            elif following in told:
                told.remove(following)
            else:
                break
            floor = following
        count = floor - self._floor
        self._floor = floor
        frames = [self._frame(tag, multiple=False) for tag in sorted(settled)]
        if covered:
            frames.append(self._frame(covered, multiple=count > 1))
        told |= settled
        self._writer.write(frames)

    def _frame(self, tag: int, *, multiple: bool) -> bytes:
        return _ACK.pack(METHOD, self._channel, _PAYLOAD_SIZE, BASIC_ACK.number, tag, multiple, _END)
