"""A message on its way out: a method, a header with the properties, and as many frames as the body needs."""

from collections.abc import Sequence
from struct import Struct

from shared.messaging.amqp.frames import BODY, END, HEAD, HEADER, OVERHEAD
from shared.messaging.amqp.writer import Piece

_BASIC = 60
_HEADER = Struct(">BHIHHQ")
"""Head of a frame, then class, weight and size of the body."""
_FIXED_SIZE = 12


def content_frames(
    channel: int, method: bytes, properties: bytes, body: bytes, *, largest: int
) -> Sequence[Piece]:
    """Spell a message.

    Args:
        channel: Its channel.
        method: The whole frame that begins it.
        properties: Encoded; they have to fit one frame.
        body: Its body; cut so that no frame is over ``largest`` bytes.
        largest: Negotiated size of a frame, overhead included.

    Raises:
        ValueError: The properties are too long: the broker would end the connection.
    """
    size = len(body)
    most = largest - OVERHEAD
    if _FIXED_SIZE + len(properties) > most:
        raise ValueError(f"properties of {len(properties)} bytes do not fit a frame")
    header = _HEADER.pack(HEADER, channel, _FIXED_SIZE + len(properties), _BASIC, 0, size)
    if 0 < size <= most:
        return method, header, properties, END, HEAD.pack(BODY, channel, size), body, END
    pieces: list[Piece] = [method, header, properties, END]
    view = memoryview(body)
    for start in range(0, size, most):
        part = view[start : start + most]
        pieces += (HEAD.pack(BODY, channel, len(part)), part, END)
    return pieces
