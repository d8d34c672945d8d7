"""The methods of AMQP 0-9-1 that this client sends or understands, and how their arguments are spelled.

Messages on their way (``basic.publish``, ``basic.deliver``, ``basic.ack``) are packed and read by hand
where they are used; everything else is rare enough to be spelled by this list.

Source: AMQP 0-9-1, the generated method reference, with RabbitMQ's extensions (``basic.nack``,
``confirm.select``, ``connection.blocked``).
"""

from dataclasses import dataclass
from struct import Struct
from struct import error as struct_error
from typing import Any

from shared.messaging.amqp.errors import MalformedFrameError
from shared.messaging.amqp.tables import decode_table, encode_table, pack_short

_NUMBER = Struct(">I")
_FIXED = {"B": Struct(">B"), "H": Struct(">H"), "I": Struct(">I"), "Q": Struct(">Q")}


@dataclass(frozen=True, slots=True)
class Method:
    """One method."""

    number: int
    """Class in the upper 16 bits, method in the lower."""
    arguments: tuple[tuple[str, str], ...]
    """Name and type of each: B, H, I, Q integers of 1, 2, 4, 8 bytes, s text, S bytes, t table, ? bit."""


def _method(class_id: int, method_id: int, arguments: str = "") -> Method:
    pairs = (argument.partition(":") for argument in arguments.split())
    return Method(class_id << 16 | method_id, tuple((name, kind) for name, _, kind in pairs))


_CLOSE = "code:H text:s class_id:H method_id:H"
_TUNE = "channel_max:H frame_max:I heartbeat:H"

CONNECTION_START = _method(10, 10, "major:B minor:B properties:t mechanisms:S locales:S")
CONNECTION_START_OK = _method(10, 11, "properties:t mechanism:s response:S locale:s")
CONNECTION_TUNE = _method(10, 30, _TUNE)
CONNECTION_TUNE_OK = _method(10, 31, _TUNE)
CONNECTION_OPEN = _method(10, 40, "vhost:s reserved:s insist:?")
CONNECTION_OPEN_OK = _method(10, 41, "reserved:s")
CONNECTION_CLOSE = _method(10, 50, _CLOSE)
CONNECTION_CLOSE_OK = _method(10, 51)
CONNECTION_BLOCKED = _method(10, 60, "reason:s")
CONNECTION_UNBLOCKED = _method(10, 61)
CHANNEL_OPEN = _method(20, 10, "reserved:s")
CHANNEL_OPEN_OK = _method(20, 11, "reserved:S")
CHANNEL_CLOSE = _method(20, 40, _CLOSE)
CHANNEL_CLOSE_OK = _method(20, 41)
EXCHANGE_DECLARE = _method(
    40, 10, "ticket:H exchange:s kind:s passive:? durable:? auto_delete:? internal:? nowait:? arguments:t"
)
EXCHANGE_DECLARE_OK = _method(40, 11)
EXCHANGE_DELETE = _method(40, 20, "ticket:H exchange:s if_unused:? nowait:?")
EXCHANGE_DELETE_OK = _method(40, 21)
QUEUE_DECLARE = _method(
    50, 10, "ticket:H queue:s passive:? durable:? exclusive:? auto_delete:? nowait:? arguments:t"
)
QUEUE_DECLARE_OK = _method(50, 11, "queue:s messages:I consumers:I")
QUEUE_BIND = _method(50, 20, "ticket:H queue:s exchange:s routing_key:s nowait:? arguments:t")
QUEUE_BIND_OK = _method(50, 21)
QUEUE_DELETE = _method(50, 40, "ticket:H queue:s if_unused:? if_empty:? nowait:?")
QUEUE_DELETE_OK = _method(50, 41, "messages:I")
BASIC_QOS = _method(60, 10, "prefetch_size:I prefetch_count:H whole_channel:?")
BASIC_QOS_OK = _method(60, 11)
BASIC_CONSUME = _method(
    60, 20, "ticket:H queue:s consumer_tag:s no_local:? no_ack:? exclusive:? nowait:? arguments:t"
)
BASIC_CONSUME_OK = _method(60, 21, "consumer_tag:s")
BASIC_CANCEL = _method(60, 30, "consumer_tag:s nowait:?")
BASIC_CANCEL_OK = _method(60, 31, "consumer_tag:s")
BASIC_PUBLISH = _method(60, 40, "ticket:H exchange:s routing_key:s mandatory:? immediate:?")
BASIC_RETURN = _method(60, 50, "code:H text:s exchange:s routing_key:s")
BASIC_DELIVER = _method(60, 60, "consumer_tag:s delivery_tag:Q redelivered:? exchange:s routing_key:s")
BASIC_GET = _method(60, 70, "ticket:H queue:s no_ack:?")
BASIC_GET_OK = _method(60, 71, "delivery_tag:Q redelivered:? exchange:s routing_key:s messages:I")
BASIC_GET_EMPTY = _method(60, 72, "reserved:s")
BASIC_ACK = _method(60, 80, "delivery_tag:Q multiple:?")
BASIC_NACK = _method(60, 120, "delivery_tag:Q multiple:? requeue:?")
CONFIRM_SELECT = _method(85, 10, "nowait:?")
CONFIRM_SELECT_OK = _method(85, 11)


def encode(method: Method, **values: Any) -> bytes:
    """Spell a method as the payload of a frame; an argument that is not given is 0, false or empty."""
    unknown = values.keys() - {name for name, _ in method.arguments}
    if unknown:
        raise TypeError(f"method {method.number:#x} has no {sorted(unknown)}")
    pieces = [_NUMBER.pack(method.number)]
    bits: list[bool] = []
    for name, kind in method.arguments:
        if kind == "?":
            bits.append(values.get(name, False))
            continue
        pieces.append(_octet(bits))
        bits.clear()
        pieces.append(_spell(kind, values.get(name)))
    pieces.append(_octet(bits))
    return b"".join(pieces)


def decode(method: Method, payload: bytes) -> dict[str, Any]:
    """Read the arguments of a method from the payload of its frame.

    Raises:
        MalformedFrameError: They are not there.
    """
    values: dict[str, Any] = {}
    at, bit = _NUMBER.size, 0
    try:
        for name, kind in method.arguments:
            if kind == "?":
                values[name] = bool(payload[at] >> bit & 1)
                bit += 1
                continue
            at, bit = at + (bit > 0), 0
            values[name], at = _read(kind, payload, at)
    except (IndexError, UnicodeDecodeError, struct_error) as error:
        raise MalformedFrameError(f"no arguments of method {method.number:#x}: {error!r}") from error
    if at + (bit > 0) > len(payload):
        raise MalformedFrameError(f"the arguments of method {method.number:#x} end too early")
    return values


def number_of(payload: bytes) -> int:
    """Read which method it is; see :attr:`Method.number`.

    Raises:
        MalformedFrameError: There is none.
    """
    if len(payload) < _NUMBER.size:
        raise MalformedFrameError("a method frame without a method")
    number: int = _NUMBER.unpack_from(payload)[0]
    return number


def _spell(kind: str, value: Any) -> bytes:
    if kind == "s":
        return pack_short(value or "")
    if kind == "S":
        return _NUMBER.pack(len(value or b"")) + (value or b"")
    if kind == "t":
        return encode_table(value or {})
    return _FIXED[kind].pack(value or 0)


def _read(kind: str, payload: bytes, at: int) -> tuple[Any, int]:
    if kind == "s":
        stop = at + 1 + payload[at]
        return payload[at + 1 : stop].decode(), stop
    if kind == "S":
        stop = at + 4 + _NUMBER.unpack_from(payload, at)[0]
        return payload[at + 4 : stop], stop
    if kind == "t":
        return decode_table(payload, at)
    fixed = _FIXED[kind]
    return fixed.unpack_from(payload, at)[0], at + fixed.size


def _octet(bits: list[bool]) -> bytes:
    return bytes((sum(bit << place for place, bit in enumerate(bits)),)) if bits else b""
