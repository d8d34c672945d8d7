"""The server process of one data folder: found, started and ended."""

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from shared.runtime.engines.errors import EngineStartError, EngineStopError
from shared.runtime.engines.identity import Identity
from shared.runtime.engines.log import EngineLog
from shared.runtime.engines.waiting import wait_for

KILL_TIMEOUT_S = 10.0


class ServerProcess:
    """A server that this process may have started, or may have found.

    What identifies a server is its program name and its working directory, which both engines set to
    their data: a pid file alone lies after a reboot, when its number belongs to somebody else.

    Args:
        program: Name of the executable.
        home: The server's working directory.
        pid_file: Where the server writes its pid, on the first line.
        log: Takes the server's output.
    """

    def __init__(self, *, program: str, home: Path, pid_file: Path, log: EngineLog) -> None:
        self._program = program
        self._home = home
        self._pid_file = pid_file
        self._log = log
        self._child: subprocess.Popen[bytes] | None = None

    def pid(self) -> int | None:
        """The living server's pid; None when there is none, or it has not written its pid file yet."""
        self._reap()
        number = self._recorded_pid()
        return number if number is not None and self._is_ours(number) else None

    def await_ready(self, pid: int, ready: Callable[[], bool], *, timeout_s: float) -> bool:
        """Wait for a server found running; False when it ended meanwhile.

        Raises:
            EngineStartError: It lives and is not ready within `timeout_s`.
        """
        if not wait_for(lambda: self.pid() != pid or ready(), timeout_s=timeout_s):
            raise self._failure(f"pid {pid} was running and did not get ready within {timeout_s:.0f} s")
        return self.pid() == pid

    def start(
        self, identity: Identity, argv: Sequence[str], *, ready: Callable[[], bool], timeout_s: float
    ) -> None:
        """Start the server and wait until it is `ready`; nothing is left running on failure.

        Raises:
            EngineStartError: It ended, or was not ready within `timeout_s`.
        """
        self._clear()
        output = self._log.open()
        try:
            child = self._child = identity.popen(argv, output=output)
        finally:
            os.close(output)
        in_time = wait_for(
            lambda: child.poll() is not None or (self.pid() == child.pid and ready()), timeout_s=timeout_s
        )
        if child.returncode is not None:
            self._child = None
            raise self._failure(f"it ended with status {child.returncode}")
        if not in_time:
            child.kill()
            child.wait(KILL_TIMEOUT_S)
            self._clear()
            raise self._failure(f"not ready within {timeout_s:.0f} s")

    def stop(self, *steps: tuple[signal.Signals, float]) -> None:
        """Send each signal in turn, waiting its seconds for the end, then SIGKILL.

        Raises:
            EngineStopError: The process outlived SIGKILL.
        """
        number = self.pid()
        if number is not None:
            for step, grace_s in (*steps, (signal.SIGKILL, KILL_TIMEOUT_S)):
                self._signal(number, step)
                if wait_for(lambda: not self._is_ours(number), timeout_s=grace_s):
                    break
        self._clear()

    def _clear(self) -> None:
        """End what still works in the data folder without a server at its head, and forget its pid file.

        That is the children of a killed server, or a start that was interrupted. A pid file whose number
        went to an unrelated process would make PostgreSQL refuse to start.
        """
        strays = [process.pid for process in psutil.process_iter() if self._is_ours(process.pid)]
        for number in strays:
            self._signal(number, signal.SIGKILL)
        if not wait_for(lambda: not any(map(self._is_ours, strays)), timeout_s=KILL_TIMEOUT_S):
            raise EngineStopError(f"{self._program} processes {strays} in {self._home} do not end")
        if self._child is not None:  # ended above, or its folder is gone already and it is about to end
            self._child.wait(KILL_TIMEOUT_S)
            self._child = None
        self._pid_file.unlink(missing_ok=True)

    def _recorded_pid(self) -> int | None:
        try:
            return int(self._pid_file.read_text().split("\n", 1)[0])
        except (OSError, ValueError):  # none, or not for us to read, or a server is just writing it
            return None

    def _is_ours(self, number: int) -> bool:
        try:
            process = psutil.Process(number)
            return (
                process.name() == self._program
                and process.status() != psutil.STATUS_ZOMBIE
                and Path(process.cwd()) == self._home
            )
        except psutil.Error:  # gone, or another user's
            return False

    def _signal(self, number: int, step: signal.Signals) -> None:
        if self._is_ours(number):
            try:
                os.kill(number, step)
            except ProcessLookupError:  # it ended by itself since the line above
                return

    def _reap(self) -> None:
        if self._child is not None and self._child.poll() is not None:
            self._child = None

    def _failure(self, reason: str) -> EngineStartError:
        return EngineStartError(self._program, reason, log_tail=self._log.tail())
