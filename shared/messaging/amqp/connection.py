"""A connection to an AMQP 0-9-1 broker."""

import asyncio
from itertools import count
from typing import cast

from shared.messaging.amqp import methods
from shared.messaging.amqp.calls import Calls
from shared.messaging.amqp.channel import Channel
from shared.messaging.amqp.errors import SUCCESS, AmqpError, ConnectionLostError, MalformedFrameError
from shared.messaging.amqp.frames import HEARTBEAT, METHOD, FrameSplitter, method_frame
from shared.messaging.amqp.heartbeat import Heartbeat
from shared.messaging.amqp.methods import Method
from shared.messaging.amqp.receiving import Receiving
from shared.messaging.amqp.writer import FrameWriter


class Connection(asyncio.Protocol):
    """One connection; ``connect`` opens it.

    It never comes back: whoever needs another one opens another one.
    """

    def __init__(self) -> None:
        self.calls = Calls()
        """Questions about the connection itself."""
        self.writer: FrameWriter
        self.blocked = False
        """Whether the broker reads nothing from here: it is short of memory or of disk."""
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Resolves when the connection is gone, whoever ended it."""
        self._transport: asyncio.Transport
        self._splitter = FrameSplitter()
        self._channels: dict[int, Receiving] = {}
        self._most_channels = 1
        self._heartbeat: Heartbeat | None = None
        self._error: AmqpError | None = None

    @property
    def error(self) -> AmqpError:
        """Why it is gone."""
        return self._error or ConnectionLostError("the connection broke")

    async def channel(self) -> Channel:
        """Open a channel.

        Raises:
            ConnectionLostError: The connection broke, or is gone.
        """
        if self.closed.done():
            raise self.error
        number = next(one for one in count(1) if one not in self._channels)
        if number > self._most_channels:
            raise ConnectionLostError(f"all {self._most_channels} channels are in use")
        channel = Channel(number, self.writer, largest_frame=self._splitter.largest)
        self._channels[number] = Receiving(channel, self._forget)
        try:
            await channel.call(methods.CHANNEL_OPEN, methods.CHANNEL_OPEN_OK)
        except asyncio.CancelledError:
            channel.abandon()
            raise
        return channel

    async def close(self) -> None:
        """Close in order, so that what was sent before arrives; given up, it is closed at once."""
        if self.closed.done():
            return
        self.writer.flush()
        answer = self.calls.expect(methods.CONNECTION_CLOSE_OK)
        self.send(methods.CONNECTION_CLOSE, code=SUCCESS)
        try:
            await asyncio.wait([answer, self.closed], return_when=asyncio.FIRST_COMPLETED)
            self._error = ConnectionLostError("closed here")
            self._transport.close()
            await asyncio.wait([self.closed])
        finally:
            answer.cancel()
            self._transport.abort()

    def abort(self, error: AmqpError) -> None:
        """Give the connection up at once, because of this error."""
        self._error = self._error or error
        self._transport.abort()

    def send(self, method: Method, **arguments: object) -> None:
        """Send a method about the connection itself."""
        self.writer.write((method_frame(0, method, **arguments),))

    def tuned(self, *, most_channels: int, largest_frame: int, heartbeat_s: int) -> None:
        """Take over what was agreed with the broker."""
        self._most_channels = most_channels
        self._splitter.largest = largest_frame
        if heartbeat_s:
            self._heartbeat = Heartbeat(heartbeat_s, self.writer, self._silent)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self.writer = FrameWriter(self._transport)

    def data_received(self, data: bytes) -> None:
        """Hand each frame to whom it concerns."""
        if self._heartbeat is not None:
            self._heartbeat.heard = True
        try:
            for kind, number, payload in self._splitter.feed(data):
                channel = self._channels.get(number)
                if channel is not None:
                    channel.frame(kind, payload)
                else:
                    self._frame(kind, number, payload)
        except MalformedFrameError as error:
            self.abort(error)

    def eof_received(self) -> bool:
        """Let the transport close."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody."""
        reason = self._error or ConnectionLostError(repr(exc) if exc else "the broker hung up")
        self._error = reason
        if self._heartbeat is not None:
            self._heartbeat.stop()
        self.closed.set_result(None)
        self.calls.fail(reason)
        channels, self._channels = self._channels, {}
        for receiving in channels.values():
            receiving.channel.lose(reason)
        self.writer.resume()

    def pause_writing(self) -> None:
        """Make publishers wait."""
        self.writer.pause()

    def resume_writing(self) -> None:
        """Let publishers go on."""
        self.writer.resume()

    def _frame(self, kind: int, number: int, payload: bytes) -> None:
        if kind == HEARTBEAT:
            return
        if kind != METHOD or number != 0:
            raise MalformedFrameError(f"a frame of kind {kind} on channel {number}, which is not open")
        match methods.number_of(payload):
            case methods.CONNECTION_CLOSE.number:
                end = methods.decode(methods.CONNECTION_CLOSE, payload)
                self._error = ConnectionLostError(f"closed by the broker: {end['code']} {end['text']}")
                self.send(methods.CONNECTION_CLOSE_OK)
                self.writer.flush()
                self._transport.close()
            case methods.CONNECTION_BLOCKED.number:
                self.blocked = True
            case methods.CONNECTION_UNBLOCKED.number:
                self.blocked = False
            case other:
                self.calls.answer(other, payload)

    def _forget(self, number: int) -> None:
        self._channels.pop(number, None)

    def _silent(self) -> None:
        self.abort(ConnectionLostError("the broker was silent for too long"))
