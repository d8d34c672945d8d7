"""A message on its way in: the frames of it that have arrived, and what they say."""

from struct import Struct
from struct import error as struct_error

from shared.messaging.amqp.errors import MalformedFrameError
from shared.messaging.amqp.methods import BASIC_DELIVER, BASIC_GET_OK, BASIC_RETURN
from shared.messaging.amqp.properties import Properties, decode_properties

_DELIVERY = Struct(">QB")
_HEADER = Struct(">HHQ")
_NO_PROPERTIES = Properties()
_DELIVER, _GET_OK = BASIC_DELIVER.number, BASIC_GET_OK.number

CARRIERS = frozenset({_DELIVER, _GET_OK, BASIC_RETURN.number})
"""Methods that are followed by a header and a body."""


class Incoming:
    """A message that is delivered to a consumer, got, or returned."""

    __slots__ = (
        "_missing",
        "_pieces",
        "body",
        "consumer_tag",
        "delivery_tag",
        "method",
        "properties",
        "redelivered",
    )

    def __init__(self, method: int, payload: bytes) -> None:
        """Begin with the method.

        Raises:
            MalformedFrameError: Its arguments are not there.
        """
        self.method = method
        self.consumer_tag = b""
        self.delivery_tag = 0
        self.redelivered = False
        self.properties = _NO_PROPERTIES
        self.body = b""
        self._missing = -1
        self._pieces: list[bytes] = []
        try:
            if method == _DELIVER:
                end = 5 + payload[4]
                self.consumer_tag = payload[5:end]
                self.delivery_tag, redelivered = _DELIVERY.unpack_from(payload, end)
                self.redelivered = redelivered == 1
            elif method == _GET_OK:
                self.delivery_tag, redelivered = _DELIVERY.unpack_from(payload, 4)
                self.redelivered = redelivered == 1
        except (IndexError, struct_error) as error:
            raise MalformedFrameError(f"no arguments of a delivery: {error!r}") from error

    def header(self, payload: bytes) -> bool:
        """Take the header; returns whether the message is complete.

        Raises:
            MalformedFrameError: It is none, or the second.
        """
        if self._missing >= 0 or len(payload) < _HEADER.size:
            raise MalformedFrameError("a content header out of place")
        self._missing = _HEADER.unpack_from(payload)[2]
        self.properties = decode_properties(payload, _HEADER.size)
        return self._missing == 0

    def piece(self, payload: bytes) -> bool:
        """Take a part of the body; returns whether the message is complete.

        Raises:
            MalformedFrameError: It is more than the header announced.
        """
        self._missing -= len(payload)
        if self._missing < 0:
            raise MalformedFrameError("more of a body than its header announced")
        if self._missing > 0:
            self._pieces.append(payload)
            return False
        self.body = b"".join((*self._pieces, payload)) if self._pieces else payload
        self._pieces = []
        return True
