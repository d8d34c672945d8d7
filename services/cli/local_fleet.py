"""Composition root of ``penstock up``: makes the supervisor and all that it supervises."""

import asyncio
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import psutil

from services.cli.console import Console
from services.cli.credentials import Credentials
from services.cli.embedded import embedded_engine
from services.cli.engine_keeper import EngineKeeper
from services.cli.environment import FleetEnvironment
from services.cli.fleet import STOP_ORDER, Launcher, Service, instances
from services.cli.log_files import LogFile, ServiceLog
from services.cli.preparing import Preparation
from services.cli.process import Launch, ManagedProcess
from services.cli.state import FleetState, Phase
from services.cli.supervisor import Supervisor

READY_TIMEOUT_S = 60.0
STOP_MARGIN_S = 3.0
"""What a service may need over its own grace before it is killed."""


@dataclass(kw_only=True)
class LocalFleet:
    """One run of a local fleet.

    Args:
        environment: What the services find in theirs.
        inherited: This process's environment variables.
        workers: Number of provider workers.
        lock: Descriptor of the fleet's lock, for the guard to inherit.
        console: Where to print.
        stop_hint: The line that tells how to stop.
    """

    environment: FleetEnvironment
    inherited: Mapping[str, str]
    workers: int
    lock: int
    console: Console
    stop_hint: str
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        settings, folder = self.environment.settings, self.environment.folder
        self._folder = folder
        self._url = f"http://{_reachable(settings.host)}:{self.environment.port}"
        self._engines = [
            EngineKeeper(engine=embedded_engine(name, folder), on_change=self._note, warn=self.console.echo)
            for name in self.environment.embedded()
        ]
        self._stages = [
            [self._process(service, name) for name in instances(service, self.workers)]
            for service in STOP_ORDER
        ]
        me = psutil.Process()
        self._state = FleetState(
            pid=me.pid,
            created=me.create_time(),
            phase="starting",
            url=self._url,
            simulator_url=self.environment.simulator_url,
            services=[process.entry for stage in self._stages for process in stage],
            engines=[keeper.entry for keeper in self._engines],
        )

    async def run(self) -> None:
        """Run until Ctrl-C or SIGTERM.

        Raises:
            CommandError: It cannot start.
        """
        preparation = await Preparation.start(self.inherited)
        supervisor = Supervisor(
            guard=self._guard(),
            engines=self._engines,
            stages=self._stages,
            prepare=lambda: self._prepare(preparation),
            on_phase=self._enter,
            ready_timeout_s=READY_TIMEOUT_S,
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal, supervisor)
        try:
            await supervisor.run()
        finally:
            await preparation.abandon()

    def _on_signal(self, supervisor: Supervisor) -> None:
        if supervisor.stop.is_set():
            supervisor.force.set()
        else:
            self.console.say("\nStopping; Ctrl-C again to stop at once.")
            supervisor.stop.set()

    def _engine_urls(self) -> dict[str, str]:
        return {keeper.engine.name: keeper.engine.url for keeper in self._engines}

    def _process(self, service: Service, name: str) -> ManagedProcess:
        overrides = {}
        if service.name == "simulator":
            port = self.environment.simulator_url.rsplit(":", 1)[1]
            overrides = {"PENSTOCK_SIMULATOR__HOST": "127.0.0.1", "PENSTOCK_SIMULATOR__PORT": port}
        return ManagedProcess(
            name=name,
            launch=Launcher(
                service=service,
                environment=lambda: self.environment.of_service(self.inherited, self._engine_urls()),
                overrides=overrides,
            ),
            log=self._log(name),
            on_change=self._note,
            stop_grace_s=self.environment.settings.shutdown_grace_s + STOP_MARGIN_S,
        )

    def _guard(self) -> ManagedProcess:
        grace_s = self.environment.settings.shutdown_grace_s
        argv = (
            sys.executable,
            "-m",
            "services.cli.guard",
            str(self._folder.path),
            f"{grace_s:g}",
            *self.environment.embedded(),
        )
        return ManagedProcess(
            name="guard",
            launch=lambda: Launch(argv=argv, environment=self.inherited, inherit=(self.lock,)),
            log=self._log("guard"),
            on_change=lambda: None,
            stop_grace_s=STOP_MARGIN_S,
            tethered=True,
        )

    def _log(self, name: str) -> ServiceLog:
        return ServiceLog(name, LogFile(self._folder.logs / f"{name}.log"), self.console.echo)

    async def _prepare(self, preparation: Preparation) -> None:
        urls = self._engine_urls()
        credentials = await preparation.finish(
            postgres_url=self.environment.postgres_url(urls),
            secret_key=self.environment.secret_key(),
            known=replace(Credentials.read(self._folder), base_url=self._url),
        )
        credentials.write(self._folder)

    def _enter(self, phase: Phase) -> None:
        self._state.phase = phase
        self._note()
        if phase == "ready":
            seconds = time.monotonic() - self.began
            self.console.ready(Credentials.read(self._folder), seconds=seconds, stop=self.stop_hint)

    def _note(self) -> None:
        self._state.write(self._folder)


def _reachable(host: str) -> str:
    """Name the address that a client on this machine connects to."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
