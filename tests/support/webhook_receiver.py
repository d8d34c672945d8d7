"""A receiver of webhooks as a user has one: a small HTTP server on loopback."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

LIMIT_S = 20.0


@dataclass(frozen=True)
class Hook:
    """One request."""

    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


@dataclass
class Receiver:
    """What came, and what is answered."""

    url: str
    status: int = 204
    body: bytes = b""
    came: "queue.SimpleQueue[Hook]" = field(default_factory=queue.SimpleQueue)

    def next(self) -> Hook:
        """Wait for the next request."""
        return self.came.get(timeout=LIMIT_S)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Serve while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.came.put(Hook({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(receiver.status)
            self.send_header("Content-Length", str(len(receiver.body)))
            self.end_headers()
            self.wfile.write(receiver.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_port}/")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
