"""Checks of the data folder and of what runs on it."""

import os
import stat
from collections.abc import Iterator

from services.cli import remains
from services.cli.data_dir import DataDir, read_json
from services.cli.doctor.finding import Finding, note, ok, wrong
from services.cli.errors import CommandError
from services.cli.lock import FleetLock
from services.cli.ports import require_free
from services.cli.state import FleetState


def check_folder(folder: DataDir, *, host: str, port: int) -> Iterator[Finding]:
    """Rights, private files, the lock, leftovers and the port."""
    yield _usable(folder)
    for path in (folder.credentials, folder.secrets):
        if path.exists():
            yield _private(path.name, path.stat().st_mode, str(path))
            yield from _readable(folder, path.name)
    running = FleetLock(folder.lock).is_held()
    state = FleetState.read(folder)
    if running and state is not None and state.supervisor_lives:
        yield ok("fleet", f"{state.phase} at {state.url} (pid {state.pid})")
    elif running:
        yield note("fleet", "was killed; its guard is cleaning up", "Wait a minute, or run `penstock down`.")
    else:
        yield _leftovers(folder)
        yield _port(host, port)


def _usable(folder: DataDir) -> Finding:
    existing = next(path for path in (folder.path, *folder.path.parents) if path.exists())
    if not os.access(existing, os.R_OK | os.W_OK | os.X_OK):
        remedy = f"chown -R {os.getuid()} {folder.path}, or choose another folder with --data-dir."
        return wrong("data folder", f"{existing} is not writable for user {os.getuid()}", remedy)
    return ok("data folder", f"{folder.path}{'' if folder.path.exists() else ' (not made yet)'}")


def _private(name: str, mode: int, path: str) -> Finding:
    if stat.S_IMODE(mode) & 0o077:
        return wrong(name, f"others may read it (mode {stat.S_IMODE(mode):o})", f"chmod 600 {path}")
    return ok(name, "private")


def _readable(folder: DataDir, name: str) -> Iterator[Finding]:
    try:
        read_json(folder.path / name)
    except CommandError as error:
        yield wrong(name, str(error), "Restore it, or move it away and run `penstock up`.")


def _leftovers(folder: DataDir) -> Finding:
    found = remains.find(str(folder.path))
    if found:
        pids = ", ".join(str(process.pid) for process in found)
        return wrong("fleet", f"not running, but processes of it are left: {pids}", "penstock down")
    return ok("fleet", "not running, and nothing is left of an earlier one")


def _port(host: str, port: int) -> Finding:
    try:
        require_free(host, port)
    except CommandError as error:
        fault, _, remedy = str(error).partition(": ")
        return wrong("port", fault, remedy)
    return ok("port", f"{port} on {host} is free")
