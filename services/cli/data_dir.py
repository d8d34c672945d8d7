"""The folder that holds everything of one local fleet, and who may read it."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.cli.errors import CommandError


@dataclass(frozen=True, slots=True)
class DataDir:
    """Paths below one folder; nothing of a fleet lies outside it but its sockets, if the path is long."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> "DataDir":
        """Name a folder, which need not exist."""
        return cls(path.expanduser().absolute())

    @property
    def lock(self) -> Path:
        """Locked by whoever runs the fleet."""
        return self.path / "fleet.lock"

    @property
    def state(self) -> Path:
        """What runs, written by the supervisor."""
        return self.path / "fleet.json"

    @property
    def credentials(self) -> Path:
        """Where the fleet answers, and its owner's keys."""
        return self.path / "credentials.json"

    @property
    def secrets(self) -> Path:
        """The fleet's own secrets; lost, every API key is void."""
        return self.path / "secrets.json"

    @property
    def logs(self) -> Path:
        """One file for each service."""
        return self.path / "logs"

    @property
    def objects(self) -> Path:
        """Large bodies."""
        return self.path / "objects"

    def prepare(self) -> None:
        """Create the folder, for its owner only.

        Raises:
            CommandError: It cannot be created, or is somebody else's.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
            for folder in (self.logs, self.objects):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise CommandError(
                f"The data folder {self.path} cannot be used ({error.strerror}): "
                "choose another one with --data-dir or PENSTOCK_DATA_DIR."
            ) from None

    def secret_key(self) -> str:
        """Read the fleet's secret key; make it on the first call."""
        known = read_json(self.secrets)
        if "secret_key" not in known:
            known["secret_key"] = secrets.token_urlsafe(48)
            write_private(self.secrets, known)
        return str(known["secret_key"])


def read_json(path: Path) -> dict[str, Any]:
    """Read a private file; one that does not exist is empty.

    Raises:
        CommandError: It cannot be read, or holds something else.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CommandError(
            f"{path} cannot be read ({error}). Restore it, or move it away to have a new one made."
        ) from None
    if not isinstance(content, dict):
        raise CommandError(f"{path} does not hold a JSON object. Move it away to have a new one made.")
    return content


def write_private(path: Path, content: dict[str, Any], *, durable: bool = True) -> None:
    """Replace a file in one step; mode 0600 from its first moment. ``durable``: outlives a power cut."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
        file.flush()
        if durable:
            os.fsync(file.fileno())
    draft.replace(path)
