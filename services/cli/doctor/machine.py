"""Checks of the machine and of what is installed on it."""

import re
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from services.cli.data_dir import DataDir
from services.cli.doctor.finding import Finding, note, ok, wrong

MINIMUM_PYTHON = (3, 11)
MINIMUM_FREE_BYTES = 1024**3
LOCK = Path(__file__).resolve().parents[3] / "requirements" / "local.lock"
_PIN = re.compile(r"^([A-Za-z0-9_.\-]+)(?:\[[^\]]*\])?==([^\s;\\]+)(.*)$", re.MULTILINE)


def check_machine(folder: DataDir) -> Iterator[Finding]:
    """Python, disk and packages."""
    yield _python()
    yield _disk(folder)
    yield _packages()


def _python() -> Finding:
    running = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < MINIMUM_PYTHON:
        return wrong("python", running, "Use Python 3.11 or newer: make clean && make PYTHON=python3.12 up")
    return ok("python", f"{running} at {sys.executable}")


def _disk(folder: DataDir) -> Finding:
    existing = next(path for path in (folder.path, *folder.path.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    detail = f"{free / 1024**3:.1f} GB free for {folder.path}"
    if free < MINIMUM_FREE_BYTES:
        return wrong("disk", detail, "Free at least 1 GB, or choose another folder with --data-dir.")
    return ok("disk", detail)


def _packages() -> Finding:
    """Compare what is installed with the lock of this checkout."""
    if not LOCK.exists():
        return note("packages", "no lock file beside the code: installed by other means")
    stale = [
        f"{name} {found or 'missing'} (locked {locked})"
        for name, locked in _pins(LOCK.read_text())
        if (found := _installed(name)) != locked
    ]
    if stale:
        shown = ", ".join(stale[:5]) + (f" and {len(stale) - 5} more" if len(stale) > 5 else "")
        return wrong("packages", shown, "Install what is locked: rm -f .venv/.local && make up")
    return ok("packages", f"as locked in {LOCK.name}")


def _pins(text: str) -> Iterator[tuple[str, str]]:
    """List the locked versions that hold on every platform."""
    for name, locked, rest in _PIN.findall(text):
        if ";" not in rest:
            yield name, locked


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
