"""What the supervised processes print: kept in bounded files, and the warnings echoed."""

import json
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIMIT_BYTES = 8 * 1024 * 1024
LAST_LINES = 12
LOUD = {"warning", "error", "critical"}

Echo = Callable[[str, str, str], None]
"""Takes the service, the level and the message."""


class LogFile:
    """Appends lines to a file; when it is full it becomes ``<name>.1``, in place of an older one."""

    def __init__(self, path: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        path.touch(mode=0o600)
        self._file = path.open("ab", buffering=0)

    def write(self, line: bytes) -> None:
        """Append one line."""
        if self._file.tell() + len(line) >= self._limit_bytes:
            self._file.close()
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            self._path.touch(mode=0o600)
            self._file = self._path.open("ab", buffering=0)
        self._file.write(line + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ServiceLog:
    """Takes the output of one service.

    Args:
        service: Its name.
        file: Where every line goes.
        echo: Told of warnings and errors, and of lines that are no JSON: a crash prints those.
    """

    def __init__(self, service: str, file: LogFile, echo: Echo) -> None:
        self._service = service
        self._file = file
        self._echo = echo
        self._last: deque[str] = deque(maxlen=LAST_LINES)

    def line(self, line: bytes) -> None:
        """Keep one line."""
        self._file.write(line)
        record = parse(line)
        level, message = ("error", line.decode(errors="replace")) if record is None else readable(record)
        if level in LOUD:
            self._last.append(message)
            self._echo(self._service, level, message)

    def last_words(self) -> str:
        """Return what it complained about last; empties the memory."""
        words = "\n".join(self._last)
        self._last.clear()
        return words

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def parse(line: bytes) -> dict[str, Any] | None:
    """Read a line of the log; None when it is no JSON object."""
    if not line.startswith(b"{"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def readable(record: dict[str, Any]) -> tuple[str, str]:
    """Return a record's level, and its event with what else it says."""
    hidden = {"level", "event", "timestamp", "service", "exception"}
    details = " ".join(f"{key}={value}" for key, value in record.items() if key not in hidden)
    event = f"{record.get('event', '')} {details}".strip()
    trace = str(record.get("exception") or "").strip()
    return str(record.get("level", "info")), f"{event}\n{trace}" if trace else event
