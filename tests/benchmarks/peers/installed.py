"""Peers are installed once, each into a folder of its own that git ignores."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / ".peers"
TIMEOUT_S = 900.0


class NotInstalledError(Exception):
    """A peer, or what its installation takes, is not there."""


def tool(*candidates: str | Path) -> str:
    """Find a program.

    Raises:
        NotInstalledError: There is none.
    """
    for candidate in candidates:
        if found := shutil.which(candidate):
            return found
    raise NotInstalledError(f"{candidates[0]} is not installed")


def install(folder: Path, commands: Sequence[Sequence[str | Path]]) -> None:
    """Run the commands that fill a folder, unless they have succeeded before.

    Raises:
        NotInstalledError: One of them failed.
    """
    mark = folder / ".installed"
    if mark.exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for command in commands:
        print(f"installing into {folder.relative_to(ROOT)} (once) ...", flush=True)
        done = subprocess.run(
            command, cwd=folder, check=False, capture_output=True, text=True, timeout=TIMEOUT_S
        )
        if done.returncode != 0:
            raise NotInstalledError(f"it cannot be installed: {done.stderr.strip()[-600:]}")
    mark.touch()
