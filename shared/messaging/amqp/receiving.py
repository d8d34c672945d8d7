"""The receiving half of a channel: what the broker sends on it."""

import asyncio
from collections.abc import Callable
from struct import Struct
from struct import error as struct_error

from shared.messaging.amqp import methods
from shared.messaging.amqp.channel import Channel
from shared.messaging.amqp.errors import SUCCESS, ChannelClosedError, MalformedFrameError
from shared.messaging.amqp.frames import BODY, HEADER, METHOD
from shared.messaging.amqp.incoming import CARRIERS, Incoming

_CONFIRM = Struct(">QB")
_DELIVER, _GET_OK = methods.BASIC_DELIVER.number, methods.BASIC_GET_OK.number


class Receiving:
    """Takes the frames of one channel.

    Args:
        channel: The channel.
        forget: Called with its number once both sides know that it is closed.
    """

    def __init__(self, channel: Channel, forget: Callable[[int], None]) -> None:
        self.channel = channel
        self._forget = forget
        self._incoming: Incoming | None = None
        self._handlers: dict[int, Callable[[bytes], None]] = {
            methods.BASIC_ACK.number: self._confirmed,
            methods.BASIC_NACK.number: self._refused,
            methods.BASIC_CANCEL.number: self._consumer_cancelled,
            methods.CHANNEL_CLOSE.number: self._closed_by_broker,
            methods.CHANNEL_CLOSE_OK.number: self._closed_here,
        }

    def frame(self, kind: int, payload: bytes) -> None:
        """Take a frame.

        Raises:
            MalformedFrameError: It has no place here.
        """
        incoming = self._incoming
        if kind == METHOD and incoming is None:
            self._method(payload)
        elif kind == BODY and incoming is not None:
            if incoming.piece(payload):
                self._complete(incoming)
        elif kind == HEADER and incoming is not None:
            if incoming.header(payload):
                self._complete(incoming)
        else:
            raise MalformedFrameError(f"a frame of kind {kind} out of place")

    def _method(self, payload: bytes) -> None:
        number = methods.number_of(payload)
        if number in CARRIERS:
            self._incoming = Incoming(number, payload)
            return
        handler = self._handlers.get(number)
        if handler is not None:
            handler(payload)
        else:
            self.channel.calls.answer(number, payload)

    def _complete(self, incoming: Incoming) -> None:
        self._incoming = None
        if incoming.method == _DELIVER:
            self._deliver(incoming)
        elif incoming.method == _GET_OK:
            self.channel.calls.resolve(incoming)
        else:
            self._returned(incoming.properties.message_id or "")

    def _deliver(self, incoming: Incoming) -> None:
        consumer = self.channel.consumers.get(incoming.consumer_tag)
        if consumer is None:  # of a consumer or a channel that is being closed: it goes to another one
            return
        try:
            consumer(incoming)
        except Exception as error:  # noqa: BLE001 - a bug in one delivery must not end the connection
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a consumer's callback failed", "exception": error}
            )

    def _returned(self, number: str) -> None:
        if not number.isdecimal():
            raise MalformedFrameError("a message that was not sent here is returned")
        if self.channel.publishing.confirms is not None:
            self.channel.publishing.confirms.returned(int(number))

    def _confirmed(self, payload: bytes) -> None:
        tag, multiple = _confirm(payload)
        if self.channel.publishing.confirms is not None:
            self.channel.publishing.confirms.acked(tag, multiple=multiple)

    def _refused(self, payload: bytes) -> None:
        tag, multiple = _confirm(payload)
        if self.channel.publishing.confirms is not None:
            self.channel.publishing.confirms.nacked(tag, multiple=multiple)

    def _consumer_cancelled(self, payload: bytes) -> None:
        cancelled = methods.decode(methods.BASIC_CANCEL, payload)
        self.channel.consumers.pop(cancelled["consumer_tag"].encode(), None)
        if not cancelled["nowait"] and not self.channel.is_closed:
            self.channel.send(methods.BASIC_CANCEL_OK, consumer_tag=cancelled["consumer_tag"])
        if self.channel.on_cancelled is not None:
            self.channel.on_cancelled()

    def _closed_by_broker(self, payload: bytes) -> None:
        refusal = methods.decode(methods.CHANNEL_CLOSE, payload)
        self.channel.answer_close()
        if not self.channel.closing:  # else both sides closed it at once, and the other's answer comes
            self._forget(self.channel.number)
        self.channel.lose(ChannelClosedError(refusal["code"], refusal["text"]))

    def _closed_here(self, _payload: bytes) -> None:
        self._forget(self.channel.number)
        self.channel.lose(ChannelClosedError(SUCCESS, "closed here"))


def _confirm(payload: bytes) -> tuple[int, bool]:
    try:
        tag, bits = _CONFIRM.unpack_from(payload, 4)
    except struct_error as error:
        raise MalformedFrameError("a confirm without its number") from error
    return tag, bits & 1 == 1
