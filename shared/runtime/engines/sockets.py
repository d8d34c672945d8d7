"""The folder of an engine's unix socket, short enough for the kernel and closed to everybody else."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from shared.runtime.engines.errors import EngineError
from shared.runtime.engines.identity import Identity

SOCKET_PATH_BYTES = 103
"""Longest path that works everywhere: with its NUL, sun_path holds 108 bytes on Linux, 104 on macOS."""


class SocketFolder:
    """`<run_dir>/<engine>`; where that is too long, a private folder under the temporary directory.

    The short folder's name comes from the data folder, so every process of a fleet finds the same one.
    """

    def __init__(self, run_dir: Path, data_dir: Path, *, engine: str, file_name: str) -> None:
        self.path = run_dir / engine
        self._short_base: Path | None = None
        if not _fits(self.path / file_name):
            digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
            self._short_base = Path(tempfile.gettempdir()) / f"penstock-{digest}"
            self.path = self._short_base / engine
        self.socket = self.path / file_name

    def prepare(self, identity: Identity) -> None:
        """Create the folder for `identity`.

        Raises:
            EngineError: Even the short path is too long, or somebody else made that folder first.
        """
        if not _fits(self.socket):
            raise EngineError(f"{self.socket} is too long for a unix socket: set TMPDIR to a shorter folder")
        identity.enclose(self.path.parent)
        if self._short_base is not None:
            _refuse_planted(self._short_base, identity)
        identity.own(self.path)


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= SOCKET_PATH_BYTES


def _refuse_planted(folder: Path, identity: Identity) -> None:
    """The temporary directory is open to all: take only a folder that nobody else can have filled."""
    found = folder.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid in {os.geteuid(), identity.uid}
    if not ours or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise EngineError(f"{folder} was made by somebody else: remove it, or use a shorter data folder path")
