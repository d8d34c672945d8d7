"""``penstock up --detach``: the fleet in the background."""

import subprocess
import sys
import time

from services.cli.commands.up import command
from services.cli.console import Console
from services.cli.credentials import Credentials
from services.cli.data_dir import DataDir
from services.cli.errors import CommandError
from services.cli.state import FleetState

START_LIMIT_S = 180.0
POLL_S = 0.05


def start(folder: DataDir, *, port: int | None, workers: int | None) -> None:
    """Start ``penstock up`` in a session of its own and return when its fleet is ready.

    Raises:
        CommandError: It ended before; with what it said.
    """
    began = time.monotonic()
    folder.prepare()
    log = folder.logs / "supervisor.log"
    arguments = [sys.executable, "-m", "services.cli", "up", "--quiet", "--data-dir", str(folder.path)]
    arguments += ["--port", str(port)] if port else []
    arguments += ["--workers", str(workers)] if workers else []
    log.touch(mode=0o600)
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while not _ready(folder, process.pid):
        if process.poll() is not None:
            said = log.read_text(errors="replace").strip().removeprefix("penstock: ")
            raise CommandError(said, exit_code=process.returncode or 1)
        if time.monotonic() - began > START_LIMIT_S:
            process.terminate()
            raise CommandError(f"Not ready within {START_LIMIT_S:g} s; see {log}.")
        time.sleep(POLL_S)
    Console().ready(
        Credentials.read(folder), seconds=time.monotonic() - began, stop=f"Stop it: {command(folder, 'down')}"
    )


def _ready(folder: DataDir, pid: int) -> bool:
    state = FleetState.read(folder)
    return state is not None and state.pid == pid and state.phase == "ready"
