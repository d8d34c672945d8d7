"""A lean HTTP load generator: keep-alive connections, one request at a time on each, bounded in time.

It shares the machine with what it measures, so it does as little as it can: one prepared request, no
parsing beyond the status line and Content-Length.
"""

import asyncio
import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Target:
    """Where a request goes and what it says."""

    host: str
    port: int
    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    expect: int = 200

    def request(self) -> bytes:
        """Serialise the request once."""
        lines = [f"POST {self.path} HTTP/1.1", f"Host: {self.host}:{self.port}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += ["Content-Type: application/json", f"Content-Length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode() + self.body


@dataclass(frozen=True)
class Figures:
    """What one run measured."""

    connections: int
    requests: int
    seconds: float
    latencies_ms: list[float]

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    def percentile_ms(self, share: float) -> float:
        return sorted(self.latencies_ms)[min(int(len(self.latencies_ms) * share), len(self.latencies_ms) - 1)]


class _Connection(asyncio.Protocol):
    def __init__(self, target: Target, ends_at: float, latencies_ms: list[float]) -> None:
        self._request = target.request()
        self._expect = b"HTTP/1.1 %d" % target.expect
        self._ends_at = ends_at
        self._latencies_ms = latencies_ms
        self._buffer = b""
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(rest) < length:
            return
        now = time.perf_counter()
        self._buffer = b""
        if not head.startswith(self._expect):
            self._fail(AssertionError((head + b"\n" + rest).decode()[:600]))
            return
        self._latencies_ms.append((now - self._sent_at) * 1000)
        if now < self._ends_at:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            if time.perf_counter() < self._ends_at:
                self._fail(exc or ConnectionError("the server closed the connection"))
            else:
                self.done.set_result(None)

    def _fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
        self._transport.close()


async def measure(target: Target, *, connections: int, seconds: float) -> Figures:
    """Keep ``connections`` requests in flight for ``seconds``; any answer but the expected one fails."""
    loop = asyncio.get_running_loop()
    latencies_ms: list[float] = []
    began = time.perf_counter()
    ends_at = began + seconds
    opened = [
        await loop.create_connection(
            lambda: _Connection(target, ends_at, latencies_ms), target.host, target.port
        )
        for _ in range(connections)
    ]
    await asyncio.wait_for(asyncio.gather(*(protocol.done for _, protocol in opened)), seconds + 30)
    return Figures(connections, len(latencies_ms), time.perf_counter() - began, latencies_ms)
