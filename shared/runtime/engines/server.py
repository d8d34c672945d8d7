"""What the embedded engines have in common."""

import signal
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from shared.runtime.engines.identity import Identity
from shared.runtime.engines.log import EngineLog
from shared.runtime.engines.process import ServerProcess
from shared.runtime.engines.sockets import SocketFolder


class EmbeddedServer(ABC):
    """A server in `data_dir` that listens on a unix socket only; see `Engine` for the contract.

    `data_dir` stays our own; the server's user owns only `home` in it, so that root writes in no folder
    of that user. The server is our direct child in a session of its own: its end is seen at once, no
    shell quotes its arguments, and nothing waits for an init process, which a container may lack. It is
    not tied to our life: `kill -9` of the supervisor leaves a working server, which whoever comes next
    finds by its pid file; `kill -9` of the server leaves a folder from which the next start recovers.

    Args:
        data_dir: Private to this engine; made if missing.
        run_dir: Where the socket's folder goes, unless its path would be too long for a socket.
        program: The server's executable.
        home: Name of the folder in `data_dir` that is the server's working directory.
        pid_file: Name of the pid file in `home`.
        socket: Name of the socket.
    """

    name: ClassVar[str]
    start_timeout_s: ClassVar[float]
    """Long enough to recover after a crash."""
    stop_signals: ClassVar[tuple[tuple[signal.Signals, float], ...]]
    """From polite to rude, each with the seconds to wait for its effect."""

    def __init__(
        self, data_dir: Path, run_dir: Path, *, program: Path, home: str, pid_file: str, socket: str
    ) -> None:
        self._data_dir = data_dir.resolve()
        self._program = program
        self._home = self._data_dir / home
        self._pid_file = self._home / pid_file
        self._sockets = SocketFolder(run_dir.resolve(), self._data_dir, engine=self.name, file_name=socket)
        self._log = EngineLog(self._data_dir / f"{self.name}.log")
        self._process = ServerProcess(
            program=program.name, home=self._home, pid_file=self._pid_file, log=self._log
        )

    @property
    @abstractmethod
    def url(self) -> str:
        """See `Engine.url`."""

    @property
    def pid(self) -> int | None:
        """See `Engine.pid`."""
        return self._process.pid()

    def running(self) -> bool:
        """See `Engine.running`."""
        return self.pid is not None

    def start(self) -> None:
        """See `Engine.start`."""
        timeout_s = self.start_timeout_s
        found = self.pid
        if found is not None and self._process.await_ready(found, self._ready, timeout_s=timeout_s):
            return
        identity = Identity.owning(self._home)
        identity.enclose(self._data_dir)
        self._sockets.prepare(identity)
        identity = identity.reaching(self._program, self._data_dir, self._sockets.path)
        self._create_data(identity)
        self._process.start(identity, self._argv(), ready=self._ready, timeout_s=timeout_s)

    def stop(self) -> None:
        """See `Engine.stop`."""
        self._process.stop(*self.stop_signals)

    def trim_log(self) -> None:
        """See `Engine.trim_log`."""
        self._log.trim()

    @abstractmethod
    def _create_data(self, identity: Identity) -> None:
        """Make `home` if it is missing, owned by `identity`."""

    @abstractmethod
    def _argv(self) -> list[str]:
        """Give the command that runs the server in the foreground."""

    @abstractmethod
    def _ready(self) -> bool:
        """Whether the running server takes clients."""
