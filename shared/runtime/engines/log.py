"""An engine's log file, bounded without the engine's help."""

import os
from pathlib import Path

LIMIT_BYTES = 4 * 1024 * 1024
TAIL_BYTES = 64 * 1024


class EngineLog:
    """The file that takes a server's standard output and error.

    The server appends through an inherited descriptor, so the file can be emptied under it: the next
    line lands at offset 0. A line written between the copy and the emptying is lost, which a log can bear.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> int:
        """Open for a server to append to; the caller closes the descriptor after the start."""
        self.trim()
        return os.open(
            self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )

    def trim(self) -> None:
        """Move the newest part to `<name>.1` once the file is over the limit."""
        if not self.path.exists() or self.path.stat().st_size <= LIMIT_BYTES:
            return
        previous = self.path.with_name(self.path.name + ".1")
        previous.touch(mode=0o600)
        previous.write_bytes(self._last_bytes(LIMIT_BYTES))
        os.truncate(self.path, 0)

    def tail(self, lines: int = 12) -> str:
        """The last lines, for an error message; empty when there is no log yet."""
        if not self.path.exists():
            return ""
        text = self._last_bytes(TAIL_BYTES).decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def _last_bytes(self, count: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - count))
            return file.read(count)
