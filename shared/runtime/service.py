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
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import structlog
import uvloop

from shared.config.loader import ConfigurationError, load_settings
from shared.config.settings import ProcessSettings
from shared.observability.logs import configure_logs
from shared.observability.tracing import configure_tracing
from shared.runtime.admin import admin_server
from shared.runtime.health import Health

S = TypeVar("S", bound=ProcessSettings)
Running = Callable[[S], AbstractAsyncContextManager[Health]]

EXIT_CONFIGURATION = 78
"""``EX_CONFIG`` of sysexits: starting again cannot help."""


def main(name: str, settings_type: type[S], running: Running[S]) -> None:
    """Entry point of ``python -m services.<name>``; returns when the process should end."""
    try:
        settings = load_settings(settings_type, service=name)
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201 - logs are not configured yet
        sys.exit(EXIT_CONFIGURATION)
    configure_logs(settings.log, service=name)
    with configure_tracing(settings.telemetry, service=name):
        uvloop.run(_run(name, settings, running))


async def _run(name: str, settings: S, running: Running[S]) -> None:
    log = structlog.get_logger(service=name)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings) as health, admin_server(settings.admin, health) as port:
        log.info("ready", admin_port=port)
        await stop.wait()
        log.info("stopping")
    log.info("stopped")
