"""Opens a connection: greeting, login, limits, virtual host.

Source: AMQP 0-9-1, 2.2.4 and the class ``connection`` of the method reference.
"""

import asyncio
import platform

from shared.messaging.amqp import methods
from shared.messaging.amqp.address import Address
from shared.messaging.amqp.connection import Connection
from shared.messaging.amqp.errors import AmqpError, ConnectionLostError, MalformedFrameError
from shared.messaging.amqp.frames import LARGEST_FRAME, PROTOCOL_HEADER
from shared.messaging.amqp.tables import FieldValue

_MOST_CHANNELS = 2047
_SMALLEST_FRAME = 4096
_CAPABILITIES: dict[str, FieldValue] = {
    "authentication_failure_close": True,
    "basic.nack": True,
    "connection.blocked": True,
    "consumer_cancel_notify": True,
    "publisher_confirms": True,
}


async def connect(address: Address, *, name: str, heartbeat_s: int) -> Connection:
    """Open a connection; the caller sets the limit of time.

    Args:
        address: Where, and as whom.
        name: Shown by the broker's own tools.
        heartbeat_s: Seconds after which a silent peer is asked for a sign of life; 0 for never.

    Raises:
        AmqpError: The broker refused, or is none.
        OSError: It cannot be reached, or the encryption failed.
    """
    loop = asyncio.get_running_loop()
    context = await loop.run_in_executor(None, address.ssl_context) if address.tls is not None else None
    _, connection = await loop.create_connection(Connection, address.host, address.port, ssl=context)
    try:
        await _shake_hands(connection, address, name, heartbeat_s)
    except BaseException:
        connection.abort(ConnectionLostError("given up before it was open"))
        raise
    return connection


async def _shake_hands(connection: Connection, address: Address, name: str, heartbeat_s: int) -> None:
    starting = connection.calls.expect(methods.CONNECTION_START)
    connection.writer.write((PROTOCOL_HEADER,))
    start = await starting
    if b"PLAIN" not in start["mechanisms"].split():
        raise AmqpError(f"the broker takes no name and password, only {start['mechanisms'].decode()}")
    tuning = connection.calls.expect(methods.CONNECTION_TUNE)
    connection.send(
        methods.CONNECTION_START_OK,
        properties=_about_us(name),
        mechanism="PLAIN",
        response=f"\0{address.user}\0{address.password}".encode(),
        locale="en_US",
    )
    tune = await tuning
    agreed = {
        "channel_max": _lower(_MOST_CHANNELS, tune["channel_max"]),
        "frame_max": _lower(LARGEST_FRAME, tune["frame_max"]),
        "heartbeat": _lower(heartbeat_s, tune["heartbeat"]),
    }
    if agreed["frame_max"] < _SMALLEST_FRAME:
        raise MalformedFrameError(f"the broker wants frames of at most {agreed['frame_max']} bytes")
    connection.send(methods.CONNECTION_TUNE_OK, **agreed)
    connection.tuned(
        most_channels=agreed["channel_max"],
        largest_frame=agreed["frame_max"],
        heartbeat_s=agreed["heartbeat"],
    )
    opening = connection.calls.expect(methods.CONNECTION_OPEN_OK)
    connection.send(methods.CONNECTION_OPEN, vhost=address.vhost)
    await opening


def _about_us(name: str) -> dict[str, FieldValue]:
    return {
        "product": "Penstock",
        "platform": f"{platform.python_implementation()} {platform.python_version()}",
        "capabilities": _CAPABILITIES,
        "connection_name": name,
    }


def _lower(ours: int, theirs: int) -> int:
    """Choose the lower of two limits, of which 0 means none."""
    return min(ours, theirs) if ours and theirs else ours or theirs
