"""``penstock down``: stop a fleet from outside."""

import os
import signal

from services.cli import remains
from services.cli.data_dir import DataDir
from services.cli.embedded import POSTGRES, VALKEY, embedded_engine
from services.cli.errors import CommandError
from services.cli.lock import FleetLock
from services.cli.state import FleetState
from shared.runtime.engines.errors import EngineError

ORDERLY_LIMIT_S = 120.0
FORCED_LIMIT_S = 60.0
REMAINS_GRACE_S = 10.0


def run(folder: DataDir) -> None:
    """Stop whatever runs on the folder, and return when it is gone.

    Raises:
        CommandError: It does not stop.
    """
    lock = FleetLock(folder.lock)
    state = FleetState.read(folder)
    if lock.is_held():
        _stop(state, lock, ORDERLY_LIMIT_S)
        if not lock.wait_until_free(0) and not _stop(state, lock, FORCED_LIMIT_S):
            pid = f" (pid {state.pid})" if state is not None else ""
            raise CommandError(f"The fleet in {folder.path}{pid} does not stop.")
        print("Stopped.")
    elif remains.end(str(folder.path), grace_s=REMAINS_GRACE_S) + _stop_engines(folder):
        print("Stopped what a killed fleet had left running.")
    else:
        print(f"No fleet runs in {folder.path}.")


def _stop(state: FleetState | None, lock: FleetLock, limit_s: float) -> bool:
    """Ask the supervisor to stop; without one the guard is at work already."""
    if state is not None and state.supervisor_lives:
        os.kill(state.pid, signal.SIGTERM)
    return lock.wait_until_free(limit_s)


def _stop_engines(folder: DataDir) -> int:
    stopped = 0
    for name in (POSTGRES, VALKEY):
        if (folder.path / name).exists():
            try:
                engine = embedded_engine(name, folder)
                if engine.running():
                    engine.stop()
                    stopped += 1
            except EngineError as error:
                raise CommandError(str(error)) from None
    return stopped
