"""One fleet per data folder: an advisory lock that ends with its holder, however that ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_S = 0.05


class LockedError(Exception):
    """Somebody else holds the lock."""


class FleetLock:
    """``flock`` on a file. The guard inherits the descriptor, so the lock lasts until both are gone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def held(self, *, wait_s: float) -> Iterator[int]:
        """Hold the lock; yields its file descriptor.

        Raises:
            LockedError: It was not free within ``wait_s``.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + wait_s
            while not _try(descriptor, fcntl.LOCK_EX):
                if time.monotonic() >= deadline:
                    raise LockedError
                time.sleep(POLL_S)
            yield descriptor
        finally:
            os.close(descriptor)

    def is_held(self) -> bool:
        """Whether a fleet runs on the folder, or is being cleaned up."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _try(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def wait_until_free(self, timeout_s: float) -> bool:
        """Wait for the holder to go; False when it stayed."""
        deadline = time.monotonic() + timeout_s
        while self.is_held():
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)
        return True


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
