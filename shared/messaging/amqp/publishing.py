"""The publishing half of a channel."""

import asyncio

from shared.messaging.amqp.confirms import Confirms
from shared.messaging.amqp.content import content_frames
from shared.messaging.amqp.frames import method_frame
from shared.messaging.amqp.methods import BASIC_PUBLISH
from shared.messaging.amqp.properties import Properties, encode_properties
from shared.messaging.amqp.writer import FrameWriter

_MOST_ROUTES = 1000


class Publishing:
    """Spells messages onto a channel; keeps the spelling of each route, for there are few.

    Args:
        channel: Its number.
        writer: Where frames go.
        largest_frame: Negotiated size of a frame in bytes.
    """

    __slots__ = ("_channel", "_largest_frame", "_routes", "_writer", "confirms")

    def __init__(self, channel: int, writer: FrameWriter, *, largest_frame: int) -> None:
        self._channel = channel
        self._writer = writer
        self._largest_frame = largest_frame
        self._routes: dict[tuple[str, str], bytes] = {}
        self.confirms: Confirms | None = None
        """Set once the broker confirms what is published here."""

    def publish(
        self, exchange: str, routing_key: str, properties: Properties, body: bytes
    ) -> asyncio.Future[None]:
        """Send a mandatory message; see ``Channel.publish``."""
        if self.confirms is None:
            raise RuntimeError("this channel has no confirms")
        # A message that comes back brings its properties: the number tells which publish it was.
        number = b"%d" % self.confirms.next
        encoded = encode_properties(properties, bytes((len(number),)) + number)
        self._write(exchange, routing_key, encoded, body, mandatory=True)
        return self.confirms.add()

    def post(self, exchange: str, routing_key: str, properties: Properties, body: bytes) -> None:
        """Send a message without a confirm; see ``Channel.post``."""
        self._write(exchange, routing_key, encode_properties(properties), body, mandatory=False)

    def _write(
        self, exchange: str, routing_key: str, properties: bytes, body: bytes, *, mandatory: bool
    ) -> None:
        method = self._routes.get((exchange, routing_key))
        if method is None:
            if len(self._routes) >= _MOST_ROUTES:  # addresses of processes that are gone
                self._routes.clear()
            route = {"exchange": exchange, "routing_key": routing_key}
            method = method_frame(self._channel, BASIC_PUBLISH, **route, mandatory=mandatory)
            self._routes[exchange, routing_key] = method
        frames = content_frames(self._channel, method, properties, body, largest=self._largest_frame)
        self._writer.write(frames, len(body))
