"""Who can be killed, and how it is seen that it works again."""

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import aiohttp
import psutil
import psycopg

from services.cli.data_dir import DataDir
from services.cli.embedded import POSTGRES, VALKEY, embedded_engine
from services.cli.state import Entry, FleetState
from tests.faults.campaign.chance import Chance
from tests.support.fleet import Fleet
from tests.support.rabbitmq import RabbitNode
from tests.support.store import until

SERVICES = ("ingress", "provider_worker", "results", "scheduler", "webhook_delivery")
RECOVERY_LIMIT_S = 60.0
ASK_LIMIT = aiohttp.ClientTimeout(total=2)


class Victim(Protocol):
    """One process."""

    name: str

    def kill(self) -> int:
        """Send it SIGKILL; returns its pid.

        Raises:
            ProcessLookupError: It is not running just now.
        """

    async def back(self, pid: int) -> None:
        """Return when somebody else than ``pid`` does its work.

        Raises:
            TimeoutError: Not within :data:`RECOVERY_LIMIT_S`.
        """


def entry_of(fleet: Fleet, name: str) -> Entry:
    """Read what the supervisor wrote down of a service or an engine."""
    state = FleetState.read(DataDir.at(fleet.data_dir))
    assert state is not None
    return next(entry for entry in (*state.services, *state.engines) if entry.name == name)


def _kill(pid: int | None) -> int:
    if pid is None:
        raise ProcessLookupError("it is not running")
    os.kill(pid, signal.SIGKILL)
    return pid


@dataclass(frozen=True)
class ServiceVictim:
    """A service; it is back when its health check answers, whatever its dependencies do."""

    fleet: Fleet
    name: str

    def kill(self) -> int:
        return _kill(entry_of(self.fleet, self.name).pid)

    async def back(self, pid: int) -> None:
        async with aiohttp.ClientSession(timeout=ASK_LIMIT) as session:
            await until(lambda: self._lives(session, pid), limit_s=RECOVERY_LIMIT_S)

    async def _lives(self, session: aiohttp.ClientSession, pid: int) -> bool:
        entry = entry_of(self.fleet, self.name)
        if entry.pid in (None, pid):
            return False
        urls = [f"http://127.0.0.1:{entry.admin_port}/health/live"]
        if self.name == "ingress":
            urls.append(f"{self.fleet.url}/health/live")
        try:
            for url in urls:
                async with session.get(url) as answer:
                    if answer.status != 200:
                        return False
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False
        return True


@dataclass(frozen=True)
class EngineVictim:
    """An embedded engine's server process."""

    fleet: Fleet
    name: str

    def kill(self) -> int:
        return _kill(entry_of(self.fleet, self.name).pid)

    async def back(self, pid: int) -> None:
        await until(lambda: self._runs_anew(pid), limit_s=RECOVERY_LIMIT_S)

    async def _runs_anew(self, pid: int) -> bool:
        return entry_of(self.fleet, self.name).pid not in (None, pid)


@dataclass(frozen=True)
class BackendVictim:
    """One of PostgreSQL's sessions: the server ends all the others, recovers and goes on."""

    fleet: Fleet
    rng: Chance
    name: str = "postgres backend"

    def kill(self) -> int:
        server = entry_of(self.fleet, POSTGRES).pid
        if server is None:
            raise ProcessLookupError("the server is not running")
        try:
            children = psutil.Process(server).children()
            sessions = [child.pid for child in children if "[local]" in " ".join(child.cmdline())]
        except psutil.NoSuchProcess:
            raise ProcessLookupError("the server is ending") from None
        return _kill(self.rng.choice(sorted(sessions)) if sessions else None)

    async def back(self, _pid: int) -> None:
        url = postgres_url(self.fleet)
        await until(lambda: asyncio.to_thread(_connects, url), limit_s=RECOVERY_LIMIT_S)


@dataclass(frozen=True)
class RabbitVictim:
    """The broker's node; nobody supervises it, so whoever killed it starts it."""

    node: RabbitNode
    name: str = "rabbitmq"

    def kill(self) -> int:
        pid = self.node.pid
        if pid is None:
            raise ProcessLookupError("it is not running")
        self.node.kill()
        return pid

    async def back(self, _pid: int) -> None:
        await asyncio.to_thread(self.node.start)


def everybody(fleet: Fleet, rng: Chance, node: RabbitNode | None) -> Sequence[Victim]:
    """Name all who can be killed."""
    victims: list[Victim] = [ServiceVictim(fleet, name) for name in SERVICES]
    victims += [EngineVictim(fleet, VALKEY), EngineVictim(fleet, POSTGRES), BackendVictim(fleet, rng)]
    return victims if node is None else [*victims, RabbitVictim(node)]


def postgres_url(fleet: Fleet) -> str:
    """URL of the embedded server's superuser."""
    return embedded_engine(POSTGRES, DataDir.at(fleet.data_dir)).url


def _connects(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
