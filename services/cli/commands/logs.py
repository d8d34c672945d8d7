"""``penstock logs``: what the services wrote, in the order of time."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from services.cli.data_dir import DataDir
from services.cli.errors import CommandError
from services.cli.log_files import parse, readable

FOLLOW_INTERVAL_S = 0.2
TAIL_BYTES = 512 * 1024


def run(folder: DataDir, *, service: str | None, follow: bool, lines: int, as_json: bool) -> None:
    """Print the last lines of each file, merged; with ``follow``, go on until Ctrl-C.

    Raises:
        CommandError: There is no such log.
    """
    followed = [FollowedFile(path) for path in _files(folder, service)]
    _print([entry for file in followed for entry in file.tail(lines)], as_json=as_json)
    try:
        while follow:
            time.sleep(FOLLOW_INTERVAL_S)
            _print([entry for file in followed for entry in file.fresh()], as_json=as_json)
    except KeyboardInterrupt:
        pass


def _files(folder: DataDir, service: str | None) -> list[Path]:
    found = sorted(folder.logs.glob("*.log"))
    if not found:
        raise CommandError(f"There are no logs in {folder.logs}: no fleet has run there.")
    if service is None:
        return found
    chosen = [path for path in found if path.stem == service or path.stem.startswith(f"{service}-")]
    if not chosen:
        names = ", ".join(path.stem for path in found)
        raise CommandError(f"There is no log of {service!r} in {folder.logs}; there are: {names}.")
    return chosen


class FollowedFile:
    """Reads a log file from where it last stopped, over a change of files."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._identity = 0

    def tail(self, count: int) -> list[tuple[str, bytes]]:
        """Return the last ``count`` lines with the file's name."""
        with self._path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            content = file.read()
            self._position, self._identity = file.tell(), self._path.stat().st_ino
        return [(self._path.stem, line) for line in content.splitlines()[-count or len(content) :]]

    def fresh(self) -> Iterator[tuple[str, bytes]]:
        """Return what was written since."""
        try:
            with self._path.open("rb") as file:
                if self._path.stat().st_ino != self._identity:
                    self._position, self._identity = 0, self._path.stat().st_ino
                file.seek(self._position)
                lines = [line for line in file if line.endswith(b"\n")]
                self._position += sum(map(len, lines))
        except FileNotFoundError:  # just being replaced
            return
        for line in lines:
            yield self._path.stem, line.rstrip(b"\n")


def _print(entries: list[tuple[str, bytes]], *, as_json: bool) -> None:
    moments = []
    latest = ""
    for name, line in entries:  # a line without a time (a crash) stays behind the one before it
        record = parse(line)
        latest = str(record.get("timestamp", latest)) if record else latest
        moments.append((latest, name, line, record))
    for moment, name, line, record in sorted(moments, key=lambda entry: entry[0]):
        if as_json or record is None:
            print(line.decode(errors="replace"))
        else:
            level, message = readable(record)
            print(f"{moment[:23]:<24}{name:<18}{level:<9}{message}")
    sys.stdout.flush()
