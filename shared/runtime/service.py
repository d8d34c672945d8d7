"""The one shape of a service: load settings, run, be healthy, drain on SIGTERM.

A service's ``app.py`` has one function, its composition root::

    @asynccontextmanager
    async def running(settings: ResultsSettings) -> AsyncIterator[Health]:
        async with Database(...) as database, ...:
            yield Health(required={"postgres": database.ping})

Everything after the ``yield`` is the orderly stop. A background task that fails must cancel the body
(``asyncio.TaskGroup`` does), so that the process ends with a code other than 0 and is started anew.
"""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

import structlog
import uvloop

from shared.config.loader import ConfigurationError, load_settings
from shared.config.settings import ProcessSettings
from shared.errors import DependencyUnavailableError
from shared.observability.logs import configure_logs
from shared.observability.tracing import configure_tracing
from shared.runtime.admin import admin_server
from shared.runtime.crash_points import crash_points
from shared.runtime.garbage import spare_long_lived_objects
from shared.runtime.health import Health
from shared.runtime.listening import ListenError
from shared.runtime.open_files import allow_many_connections

S = TypeVar("S", bound=ProcessSettings)
Running = Callable[[S], AbstractAsyncContextManager[Health]]

EXIT_CONFIGURATION = 78
"""``EX_CONFIG`` of sysexits: starting again cannot help."""
EXIT_UNAVAILABLE = 69
"""``EX_UNAVAILABLE`` of sysexits: an address is taken; starting again helps once it is free."""


def main(name: str, settings_type: type[S], running: Running[S]) -> None:
    """Entry point of ``python -m services.<name>``; returns when the process should end."""
    try:
        settings = load_settings(settings_type, service=name)
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201 - logs are not configured yet
        sys.exit(EXIT_CONFIGURATION)
    configure_logs(settings.log, service=name)
    if settings.crash_points_dir is not None:
        crash_points.arm(settings.crash_points_dir)
    allow_many_connections()
    try:
        with configure_tracing(settings.telemetry, service=name):
            uvloop.run(_run(name, settings, running))
    except* ListenError as group:
        for cause in _leaves(group):
            structlog.get_logger(service=name).critical("cannot listen", reason=str(cause))
        sys.exit(EXIT_UNAVAILABLE)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


async def _run(name: str, settings: S, running: Running[S]) -> None:
    log = structlog.get_logger(service=name)
    stage = _Stage()
    async with admin_server(settings.admin, stage) as port:
        with stage.interruptible():
            async with running(settings) as health:
                spare_long_lived_objects()
                stage.started(health)
                log.info("ready", admin_port=port)
                await stage.stop.wait()
                log.info("stopping")
    log.info("stopped")


class _Stage:
    """Where the process is: alive from its first moment, ready once it runs, stoppable in between too.

    A composition root may wait for its servers without end; SIGTERM then gives the start up.
    """

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self._health = Health(required={"start": _not_started})
        self._starting = True

    def started(self, health: Health) -> None:
        """Note that the service runs."""
        self._health = health
        self._starting = False

    async def report(self) -> tuple[bool, dict[str, str]]:
        """Ask whoever answers for the health at this stage."""
        return await self._health.report()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT end the block: in order when it runs, by cancelling while it starts."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()

        def end() -> None:
            self.stop.set()
            if self._starting and task is not None:
                task.cancel()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        try:
            yield
        except asyncio.CancelledError:
            if not (self._starting and self.stop.is_set()):
                raise


async def _not_started() -> None:
    raise DependencyUnavailableError("The service is starting.")
