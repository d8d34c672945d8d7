"""``penstock up``: the whole fleet in the foreground."""

import asyncio
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from services.cli import remains
from services.cli.configuration import fleet_settings
from services.cli.console import Console
from services.cli.data_dir import DataDir
from services.cli.environment import FleetEnvironment, own_environment
from services.cli.errors import CommandError
from services.cli.local_fleet import LocalFleet
from services.cli.lock import FleetLock, LockedError
from services.cli.ports import free_port, require_free
from services.cli.state import FleetState
from shared.runtime.engines.errors import EngineError

CLEAN_UP_LIMIT_S = 90.0
"""The guard of a killed fleet waits for services, then for engines; each has its bound."""
REMAINS_GRACE_S = 5.0


def run(folder: DataDir, *, port: int | None, workers: int | None, quiet: bool) -> None:
    """Run until Ctrl-C or SIGTERM.

    Raises:
        CommandError: It cannot start; nothing is left running.
    """
    inherited = own_environment()
    settings = fleet_settings(inherited)
    console = Console(quiet=quiet)
    folder.prepare()
    with _only_fleet(folder, console) as lock:
        require_free(settings.host, port or settings.port)
        if remains.end(str(folder.path), grace_s=REMAINS_GRACE_S):
            console.say("Ended what a killed fleet had left running.")
        console.say(f"Starting Penstock in {folder.path} ...")
        simulator_url = f"http://127.0.0.1:{free_port()}"
        environment = FleetEnvironment(settings, folder, port or settings.port, simulator_url)
        try:
            fleet = LocalFleet(
                environment=environment,
                inherited=inherited,
                workers=workers or settings.workers,
                lock=lock,
                console=console,
                stop_hint=_stop_hint(folder),
            )
        except EngineError as error:
            raise CommandError(f"{error}\nRun `penstock doctor` to see what is wrong.") from None
        _run(fleet)
    console.say("Stopped.")


def _run(fleet: LocalFleet) -> None:
    try:
        asyncio.run(fleet.run())
    except ExceptionGroup as group:
        known, unknown = group.split(CommandError)
        if known is None or unknown is not None:
            raise
        raise _first(known) from None


@contextmanager
def _only_fleet(folder: DataDir, console: Console) -> Iterator[int]:
    lock = FleetLock(folder.lock)
    state = FleetState.read(folder)
    killed = state is not None and not state.supervisor_lives
    if killed and lock.is_held():
        console.say("The last fleet here was killed; waiting until it is cleaned up ...")
    try:
        with lock.held(wait_s=CLEAN_UP_LIMIT_S if killed else 0.5) as descriptor:
            yield descriptor
    except LockedError:
        where = f" at {state.url} (pid {state.pid})" if state is not None else ""
        raise CommandError(
            f"A fleet already runs in {folder.path}{where}. `penstock status` shows it, `penstock down` "
            "stops it; another --data-dir and --port make a second one."
        ) from None


def _stop_hint(folder: DataDir) -> str:
    if sys.stdin.isatty():
        return "Ctrl-C stops it."
    return f"Ctrl-C stops it, or: {command(folder, 'down')}"


def command(folder: DataDir, name: str) -> str:
    """Spell a command that works from the current folder."""
    program = "penstock" if shutil.which("penstock") else sys.argv[0]
    default = DataDir.at(type(folder.path)(".penstock"))
    return f"{program} {name}" + ("" if folder == default else f" --data-dir {folder.path}")


def _first(group: BaseExceptionGroup[CommandError]) -> CommandError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
