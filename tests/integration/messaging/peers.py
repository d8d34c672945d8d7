"""A server that speaks AMQP as a test wants it to."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

from shared.messaging.amqp import methods
from shared.messaging.amqp.address import address_of
from shared.messaging.amqp.connection import Connection
from shared.messaging.amqp.errors import ConnectionLostError
from shared.messaging.amqp.frames import METHOD, PROTOCOL_HEADER, FrameSplitter, method_frame
from shared.messaging.amqp.handshake import connect
from shared.messaging.amqp.methods import Method

BOUND_S = 10.0


class Peer:
    """The server's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._splitter = FrameSplitter()
        self._read: list[tuple[int, int, bytes]] = []

    def send(self, method: Method, channel: int = 0, **arguments: object) -> None:
        self._writer.write(method_frame(channel, method, **arguments))

    def send_bytes(self, data: bytes) -> None:
        self._writer.write(data)

    async def expect(self, method: Method) -> dict:
        """Read on until this method comes."""
        while True:
            while not self._read:
                data = await self._reader.read(65536)
                if not data:
                    raise ConnectionResetError("the client hung up")
                self._read = self._splitter.feed(data)
            kind, _, payload = self._read.pop(0)
            if kind == METHOD and methods.number_of(payload) == method.number:
                return methods.decode(method, payload)

    async def greet(self, mechanisms: bytes = b"AMQPLAIN PLAIN") -> None:
        assert await self._reader.readexactly(8) == PROTOCOL_HEADER
        self.send(methods.CONNECTION_START, minor=9, mechanisms=mechanisms, locales=b"en_US")

    async def open(self, **tune: int) -> None:
        await self.greet()
        await self.expect(methods.CONNECTION_START_OK)
        self.send(methods.CONNECTION_TUNE, **{"frame_max": 131072, **tune})
        await self.expect(methods.CONNECTION_OPEN)
        self.send(methods.CONNECTION_OPEN_OK)

    async def open_channel(self, *, confirms: bool = False) -> None:
        await self.open()
        await self.expect(methods.CHANNEL_OPEN)
        self.send(methods.CHANNEL_OPEN_OK, 1)
        if confirms:
            await self.expect(methods.CONFIRM_SELECT)
            self.send(methods.CONFIRM_SELECT_OK, 1)

    async def hung_up(self) -> None:
        with contextlib.suppress(ConnectionError):
            while await self._reader.read(65536):
                pass


Serve = Callable[[Peer], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(serve: Serve, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        with contextlib.suppress(ConnectionError):
            await serve(peer)
            await peer.hung_up()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        ended.set()

    ended = asyncio.Event()
    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"amqp{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with asyncio.timeout(BOUND_S):
            await ended.wait()
    finally:
        server.close()


@contextlib.asynccontextmanager
async def connected(serve: Serve, *, heartbeat_s: int = 0) -> AsyncIterator[Connection]:
    async with serving(serve) as url, asyncio.timeout(BOUND_S):
        connection = await connect(address_of(url), name="test", heartbeat_s=heartbeat_s)
        try:
            yield connection
        finally:
            connection.abort(ConnectionLostError("the test is over"))
