"""The supervisor's parts against real processes: some die, some hang, some never start."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from services.cli import remains
from services.cli.backoff import Backoff
from services.cli.data_dir import DataDir
from services.cli.errors import CommandError
from services.cli.log_files import LogFile, ServiceLog
from services.cli.ports import free_port
from services.cli.process import Launch, ManagedProcess
from services.cli.supervisor import Supervisor

SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"dependencies": {}}')
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
print('{"level": "info", "event": "listening"}', flush=True)
server.serve_forever()
"""
STUBBORN = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ignoring", flush=True)
signal.pause()
"""
BOUND_S = 20


class Workshop:
    """Makes processes whose logs and changes the test can look at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.changed = asyncio.Event()
        self.lines: list[tuple[str, str, str]] = []
        self.made: list[ManagedProcess] = []

    def process(self, name: str, code: str, *, served: bool = False, **more) -> ManagedProcess:
        def launch() -> Launch:
            port = free_port() if served else None
            argv = (sys.executable, "-c", code, str(port))
            environment = {"PATH": os.defpath, remains.MARK: str(self.folder)}
            return Launch(argv=argv, environment=environment, admin_port=port)

        log = ServiceLog(name, LogFile(self.folder / f"{name}.log"), self._echo)
        more = {"stop_grace_s": 5.0, "backoff": Backoff(initial_s=0.01, limit_s=0.02)} | more
        made = ManagedProcess(name=name, launch=launch, log=log, on_change=self.changed.set, **more)
        self.made.append(made)
        return made

    def _echo(self, *line: str) -> None:
        self.lines.append(line)
        self.changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(BOUND_S):
            while not condition():
                await self.changed.wait()
                self.changed.clear()


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    workshop = Workshop(tmp_path)
    yield workshop
    assert remains.find(str(tmp_path)) == []
    for process in workshop.made:
        process.log.close()


async def test_what_is_killed_is_started_again(workshop):
    process = workshop.process("server", SERVER, served=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(process.run())
        await workshop.until(lambda: process.entry.pid)
        first = process.entry.pid
        os.kill(first, signal.SIGKILL)
        await workshop.until(lambda: process.entry.pid not in (None, first))
        assert process.entry.restarts == 1
        assert "SIGKILL" in process.entry.reason
        await process.stop()
    assert process.entry.state == "stopped"


async def test_what_hangs_is_killed_and_started_again(workshop):
    listening = SERVER.replace('"info"', '"warning"')
    process = workshop.process("server", listening, served=True, check_interval_s=0.25)
    async with asyncio.TaskGroup() as group:
        group.create_task(process.run())
        await workshop.until(lambda: workshop.lines)
        first = process.entry.pid
        os.kill(first, signal.SIGSTOP)
        await workshop.until(lambda: process.entry.pid not in (None, first))
        assert "answered none of 6 health checks" in process.entry.reason
        await process.stop()


async def test_what_dies_at_once_is_started_again_and_again_with_its_last_words(workshop):
    process = workshop.process("crashing", "raise SystemExit('no luck')")
    async with asyncio.TaskGroup() as group:
        group.create_task(process.run())
        await workshop.until(lambda: process.entry.restarts >= 3)
        await process.stop()
    assert "ended with status 1" in process.entry.reason
    assert "no luck" in process.entry.reason


async def test_a_configuration_error_is_not_tried_again(workshop):
    process = workshop.process("misconfigured", "import sys; print('broker.url is missing'); sys.exit(78)")
    async with asyncio.timeout(BOUND_S):
        await process.run()
    assert process.entry.state == "failed"
    assert process.entry.restarts == 0
    assert "broker.url is missing" in process.entry.reason


async def test_a_program_that_does_not_exist_is_tried_again_and_says_so(workshop, tmp_path):
    process = workshop.process("missing", "")
    process.launch = lambda: Launch(argv=[str(tmp_path / "nothing")], environment={})
    async with asyncio.TaskGroup() as group:
        group.create_task(process.run())
        await workshop.until(lambda: process.entry.restarts >= 1)
        await process.stop()
    assert "cannot be started" in process.entry.reason


async def test_what_ignores_sigterm_is_killed_after_its_grace(workshop):
    process = workshop.process("stubborn", STUBBORN, stop_grace_s=0.2)
    async with asyncio.TaskGroup() as group:
        group.create_task(process.run())
        await workshop.until(lambda: workshop.lines)
        async with asyncio.timeout(BOUND_S):
            await process.stop()
    assert process.entry.state == "stopped"


async def test_stopping_ends_the_wait_for_a_restart(workshop):
    process = workshop.process(
        "crashing", "raise SystemExit(1)", backoff=Backoff(initial_s=3600, limit_s=3600)
    )
    async with asyncio.timeout(BOUND_S), asyncio.TaskGroup() as group:
        group.create_task(process.run())
        await workshop.until(lambda: process.entry.state == "restarting")
        await process.stop()


async def test_an_endless_line_does_not_stop_the_reading(workshop):
    code = "print('x' * 3_000_000); print('after', flush=True); import signal; signal.pause()"
    process = workshop.process("talker", code)
    async with asyncio.TaskGroup() as group:
        group.create_task(process.run())
        await workshop.until(lambda: workshop.lines and workshop.lines[-1][2] == "after")
        await process.stop()


def supervisor(workshop: Workshop, *stages: list[ManagedProcess], **more) -> tuple[Supervisor, list[str]]:
    phases: list[str] = []

    async def prepare() -> None:
        phases.append("prepare")

    def on_phase(phase: str) -> None:
        phases.append(phase)
        workshop.changed.set()

    guard = workshop.process("guard", "import os\nwhile os.read(0, 1): pass", tethered=True)
    more = {"ready_timeout_s": BOUND_S, "prepare": prepare} | more
    return Supervisor(guard=guard, engines=[], stages=stages, on_phase=on_phase, **more), phases


async def test_a_fleet_becomes_ready_and_stops_in_order(workshop):
    stages = [[workshop.process(name, SERVER, served=True)] for name in ("front", "back")]
    fleet, phases = supervisor(workshop, *stages)
    stopped: list[str] = []
    for (process,) in stages:
        process.on_change = lambda p=process: stopped.append(p.name) if p.entry.state == "stopped" else None
    async with asyncio.timeout(BOUND_S), asyncio.TaskGroup() as group:
        group.create_task(fleet.run())
        await workshop.until(lambda: "ready" in phases)
        fleet.stop.set()
    assert phases == ["starting", "prepare", "ready", "stopping"]
    assert stopped == ["front", "back"]


async def test_a_fleet_that_cannot_start_says_why_and_leaves_nothing(workshop):
    good = workshop.process("good", SERVER, served=True)
    bad = workshop.process("bad", "import sys; print('port is wrong'); sys.exit(78)")
    fleet, _ = supervisor(workshop, [good, bad])
    with pytest.raises(ExceptionGroup) as raised:
        await fleet.run()
    assert raised.group_contains(CommandError, match="bad cannot start.*\n?.*port is wrong")


async def test_a_service_that_keeps_dying_ends_the_start_early(workshop):
    crashing = workshop.process("crashing", "raise SystemExit('no luck')")
    fleet, _ = supervisor(workshop, [crashing], ready_timeout_s=3600)
    with pytest.raises(ExceptionGroup) as raised:
        await fleet.run()
    assert raised.group_contains(CommandError, match="crashing keeps ending(.|\n)*no luck")


async def test_a_fleet_that_is_never_ready_gives_up_in_time(workshop):
    fleet, _ = supervisor(workshop, [workshop.process("mute", STUBBORN, stop_grace_s=0.2)], ready_timeout_s=1)
    with pytest.raises(ExceptionGroup) as raised:
        await fleet.run()
    assert raised.group_contains(CommandError, match="Not ready within 1 s")


async def test_a_second_request_to_stop_kills(workshop):
    slow = workshop.process("slow", STUBBORN + SERVER, stop_grace_s=3600)
    fleet, _ = supervisor(workshop, [slow], ready_timeout_s=3600)
    async with asyncio.timeout(BOUND_S), asyncio.TaskGroup() as group:
        group.create_task(fleet.run())
        await workshop.until(lambda: workshop.lines)
        fleet.stop.set()
        fleet.force.set()


def test_the_guard_ends_the_services_of_a_supervisor_that_is_gone(tmp_path):
    folder = DataDir.at(tmp_path)
    reading, writing = os.pipe()
    environment = {remains.MARK: str(folder.path), "PATH": os.defpath}
    services = [
        psutil.Popen([sys.executable, "-c", code], env=environment, stdout=-1, start_new_session=True)
        for code in (STUBBORN, "import signal; print('up', flush=True); signal.pause()")
    ]
    for service in services:
        assert service.stdout.readline()
    guard = psutil.Popen(
        [sys.executable, "-m", "services.cli.guard", str(folder.path), "0.3"],
        stdin=reading,
        start_new_session=True,
    )
    os.close(reading)
    assert len(remains.find(str(folder.path))) == 2
    os.close(writing)
    assert guard.wait(BOUND_S) == 0
    for service in services:
        assert service.wait(BOUND_S) < 0
        service.stdout.close()
