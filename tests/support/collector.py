"""An OTLP/HTTP collector that keeps what it is sent."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass
class Collector:
    """An OTLP/HTTP collector on a port of its own."""

    url: str = ""
    requests: SimpleQueue[tuple[str, ExportTraceServiceRequest]] = field(default_factory=SimpleQueue)

    def spans(self):
        """Everything received so far: spans by name, and the attributes of the resource."""
        spans, resource = {}, {}
        while not self.requests.empty():
            _, request = self.requests.get()
            for group in request.resource_spans:
                resource |= {item.key: item.value.string_value for item in group.resource.attributes}
                spans |= {span.name: span for scope in group.scope_spans for span in scope.spans}
        return spans, resource


@contextmanager
def running_collector() -> Iterator[Collector]:
    """Run a collector for the block."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            found.requests.put((self.path, ExportTraceServiceRequest.FromString(body)))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
