"""What runs, as the supervisor last wrote it down for the other commands."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import psutil

from services.cli.data_dir import DataDir, read_json, write_private

Phase = Literal["starting", "ready", "stopping"]
State = Literal["starting", "running", "restarting", "failed", "stopped"]


@dataclass(slots=True, kw_only=True)
class Entry:
    """One process under supervision."""

    name: str
    state: State = "stopped"
    pid: int | None = None
    restarts: int = 0
    started_at: float | None = None
    """Unix time."""
    admin_port: int | None = None
    reason: str = ""
    """Why it is not running, or why it last ended."""


@dataclass(slots=True, kw_only=True)
class FleetState:
    """The whole fleet."""

    pid: int
    """The supervisor's."""
    created: float
    """When that process began, Unix time: tells it from a later one with the same number."""
    phase: Phase
    url: str
    simulator_url: str
    services: list[Entry] = field(default_factory=list)
    engines: list[Entry] = field(default_factory=list)

    @property
    def supervisor_lives(self) -> bool:
        """Whether the process that wrote this is still there."""
        try:
            return abs(psutil.Process(self.pid).create_time() - self.created) < 1
        except psutil.NoSuchProcess:
            return False

    def write(self, folder: DataDir) -> None:
        """Replace the file."""
        write_private(folder.state, asdict(self), durable=False)

    @classmethod
    def read(cls, folder: DataDir) -> "FleetState | None":
        """Read the file; None when there was never a fleet."""
        content: dict[str, Any] = read_json(folder.state)
        if not content:
            return None
        services, engines = (
            [Entry(**entry) for entry in content.pop(kind)] for kind in ("services", "engines")
        )
        return cls(**content, services=services, engines=engines)
