"""One supervised process: started, started again when it dies, stopped within a bound."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from services.cli.backoff import Backoff
from services.cli.log_files import ServiceLog
from services.cli.probe import hangs
from services.cli.state import Entry, State

EXIT_CONFIGURATION = 78
"""What a service ends with when its configuration is wrong: starting again cannot help."""
KILL_TIMEOUT_S = 5.0
LINE_BYTES = 256 * 1024
"""Longest line of output that is kept whole."""
HUNG_AFTER_CHECKS = 6
"""A count, not a time: the supervisor itself may have been stopped meanwhile (Ctrl-Z)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a process is started this time."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    admin_port: int | None = None
    inherit: tuple[int, ...] = ()
    """File descriptors that it gets besides its output."""


@dataclass(kw_only=True)
class ManagedProcess:
    """A process that should run until :meth:`stop`.

    Each runs in a session of its own, so that Ctrl-C reaches the supervisor alone, which stops the
    fleet in order.
    """

    name: str
    launch: Callable[[], Launch]
    """Called before every start: ports may change between two."""
    log: ServiceLog
    on_change: Callable[[], None]
    stop_grace_s: float
    tethered: bool = False
    """Give it a standard input that ends with this process, and that is never written to."""
    backoff: Backoff = field(default_factory=Backoff)
    check_interval_s: float = 2.5
    """Pause before it is asked whether it lives, and time to answer; who never does is killed after 30 s."""

    def __post_init__(self) -> None:
        self.entry = Entry(name=self.name)
        self._stopping = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Keep the process running; returns after :meth:`stop`, or when its configuration is wrong."""
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                code = await self._live_once()
                reason = f"{_describe(code)}\n{self.log.last_words()}".strip()
            except OSError as error:
                code, reason = None, f"cannot be started: {error}"
            if self._stopping.is_set():
                break
            if code == EXIT_CONFIGURATION:
                self._change("failed", reason=reason)
                return
            delay_s = self.backoff.after(time.monotonic() - started)
            self.entry.restarts += 1
            self._change("restarting", reason=reason)
            await self._sleep_unless_stopped(delay_s)
        self._change("stopped")

    async def stop(self) -> None:
        """Ask it to stop, and kill it when it takes longer than its grace."""
        self._stopping.set()
        process = self._process
        if process is None:
            return
        _signal(process, signal.SIGTERM)
        try:
            async with asyncio.timeout(self.stop_grace_s):
                await process.wait()
        except TimeoutError:
            self.kill()
            async with asyncio.timeout(KILL_TIMEOUT_S):
                await process.wait()

    def kill(self) -> None:
        """Kill it, and do not start it again."""
        self._stopping.set()
        if self._process is not None:
            _signal(self._process, signal.SIGKILL)

    async def _live_once(self) -> int:
        launch = self.launch()
        self._process = process = await asyncio.create_subprocess_exec(
            *launch.argv,
            env=launch.environment,
            stdin=asyncio.subprocess.PIPE if self.tethered else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            pass_fds=launch.inherit,
            limit=LINE_BYTES,
        )
        self.entry.admin_port = launch.admin_port
        self.entry.started_at = time.time()
        self._change("running", pid=process.pid)
        if self._stopping.is_set():  # stop() came while it was being started
            _signal(process, signal.SIGTERM)
        try:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read_output(process))
                watching = group.create_task(self._kill_when_hung(process, launch.admin_port))
                code = await process.wait()
                watching.cancel()
                await asyncio.wait([reading], timeout=1.0)
                reading.cancel()  # a child of its own may hold the pipe open
            return code
        finally:
            self._process = None

    async def _read_output(self, process: asyncio.subprocess.Process) -> None:
        output = process.stdout
        assert output is not None  # noqa: S101 - asked for above
        while True:
            try:
                line = await output.readuntil()
            except asyncio.LimitOverrunError as error:
                line = await output.readexactly(error.consumed)
            except asyncio.IncompleteReadError as error:
                if error.partial:
                    self.log.line(error.partial)
                return
            if line := line.rstrip():
                self.log.line(line)

    async def _kill_when_hung(self, process: asyncio.subprocess.Process, port: int | None) -> None:
        unanswered = 0
        while port is not None and unanswered < HUNG_AFTER_CHECKS:
            await asyncio.sleep(self.check_interval_s)
            unanswered = unanswered + 1 if await hangs(port, timeout_s=self.check_interval_s) else 0
        if port is not None:
            self.log.line(f"answered none of {unanswered} health checks: killed".encode())
            _signal(process, signal.SIGKILL)

    async def _sleep_unless_stopped(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    def _change(self, state: State, *, pid: int | None = None, reason: str = "") -> None:
        self.entry.state = state
        self.entry.pid = pid
        if reason:
            self.entry.reason = reason
        self.on_change()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Signal the process; a kill goes to its whole session."""
    try:
        if number == signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
    except ProcessLookupError:
        pass


def _describe(code: int) -> str:
    if code >= 0:
        return f"ended with status {code}"
    return f"ended by {signal.Signals(-code).name}"
