"""The other end of a connection, for tests: keeps what is written, and reads it back."""

import asyncio

from shared.messaging.amqp.frames import METHOD, Frame, FrameSplitter
from shared.messaging.amqp.methods import Method, decode, number_of
from shared.messaging.amqp.writer import FrameWriter


class RecordingTransport(asyncio.Transport):
    """Takes everything at once."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return False

    def set_write_buffer_limits(self, high=None, low=None) -> None:
        """Have no buffer."""


class Wire:
    """A writer, and what it wrote."""

    def __init__(self) -> None:
        self.transport = RecordingTransport()
        self.writer = FrameWriter(self.transport)

    def frames(self) -> list[Frame]:
        """Return the frames written since the last call."""
        data, self.transport.writes = b"".join(self.transport.writes), []
        return FrameSplitter().feed(data)

    def methods(self, method: Method) -> list[dict]:
        """Return the arguments of each frame, all of which must have this method."""
        frames = self.frames()
        assert all(kind == METHOD and number_of(payload) == method.number for kind, _, payload in frames)
        return [decode(method, payload) for _, _, payload in frames]
