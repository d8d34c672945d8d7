"""Where a request goes and what it says."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Target:
    """One request, repeated; an answer with another status than ``expect`` is a failure."""

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

    @property
    def status_line(self) -> bytes:
        """How the expected answer begins."""
        return b"HTTP/1.1 %d" % self.expect
