"""Frames: what the byte stream of a connection is made of.

Source: AMQP 0-9-1, 4.2.3: one byte of kind, two of channel, four of size, the payload, one end mark.
"""

from struct import Struct

from shared.messaging.amqp.errors import MalformedFrameError
from shared.messaging.amqp.methods import Method, encode

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
END = b"\xce"
OVERHEAD = 8
"""Bytes of a frame beside its payload."""
LARGEST_FRAME = 128 * 1024
"""Bytes, overhead included; what this client asks for and the most that it reads."""
HEARTBEAT_FRAME = b"\x08\x00\x00\x00\x00\x00\x00\xce"

HEAD = Struct(">BHI")

Frame = tuple[int, int, bytes]
"""Kind, channel, payload."""


def method_frame(channel: int, method: Method, **arguments: object) -> bytes:
    """Spell a frame with a method."""
    payload = encode(method, **arguments)
    return HEAD.pack(METHOD, channel, len(payload)) + payload + END


class FrameSplitter:
    """Cuts what arrives, in whatever pieces, into frames."""

    __slots__ = ("_rest", "largest")

    def __init__(self) -> None:
        self.largest = LARGEST_FRAME
        """Bytes; a frame over it is refused before it has arrived."""
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that are complete now; the beginning of the next one is kept.

        Raises:
            MalformedFrameError: This is no stream of frames.
        """
        if self._rest:
            data = self._rest + data
        frames: list[Frame] = []
        at, have, largest, read = 0, len(data), self.largest - OVERHEAD, HEAD.unpack_from
        while have - at >= OVERHEAD:
            kind, channel, size = read(data, at)
            if size > largest:
                raise MalformedFrameError(f"a frame of kind {kind} announces {size} bytes")
            start = at + 7
            stop = start + size
            if stop >= have:
                break
            if data[stop] != 0xCE:
                raise MalformedFrameError(f"a frame of kind {kind} has no end mark")
            frames.append((kind, channel, data[start:stop]))
            at = stop + 1
        self._rest = data[at:]
        return frames
