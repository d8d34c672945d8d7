"""Reads the configuration on behalf of a command."""

import importlib
import importlib.util
from collections.abc import Mapping

from services.cli.data_dir import DataDir
from services.cli.embedded import embedded_engine
from services.cli.environment import FleetEnvironment
from services.cli.errors import CommandError
from services.cli.fleet import NAMES
from services.cli.settings import FleetSettings
from services.cli.state import FleetState
from shared.config.loader import ConfigurationError, load_settings
from shared.config.settings import ProcessSettings
from shared.runtime.engines.errors import EngineError

UNUSED_PORT_URL = "http://127.0.0.1:8081"
"""Where the simulator is said to be while no fleet runs."""


def fleet_settings(environment: Mapping[str, str]) -> FleetSettings:
    """Read the settings of the local fleet.

    Raises:
        CommandError: They are wrong; says which and where.
    """
    try:
        return load_settings(FleetSettings, service="cli", environment=environment)
    except ConfigurationError as error:
        raise CommandError(str(error), exit_code=78) from None


def require_service(name: str) -> None:
    """Check that there is such a service.

    Raises:
        CommandError: There is not; lists those that there are.
    """
    if name not in NAMES:
        raise CommandError(f"There is no service {name!r}; there are {', '.join(NAMES)}.", exit_code=2)


def settings_type(service: str) -> type[ProcessSettings] | None:
    """Find the settings of a service by their convention; None when it is not installed here.

    They are found by name: services import each other nowhere, this one included.
    """
    module_name = f"services.{service}.settings"
    if importlib.util.find_spec(f"services.{service}") is None:
        return None
    module = importlib.import_module(module_name)
    found: list[type[ProcessSettings]] = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module_name and issubclass(value, ProcessSettings)
    ]
    if found:
        return found[0]
    raise CommandError(f"{module_name} has no settings")


def fleet_environment(folder: DataDir, inherited: Mapping[str, str]) -> FleetEnvironment:
    """Describe the environment of the fleet that runs on a folder, or that would."""
    settings = fleet_settings(inherited)
    state = FleetState.read(folder)
    if state is None:
        return FleetEnvironment(settings, folder, settings.port, UNUSED_PORT_URL)
    port = int(state.url.rsplit(":", 1)[1])
    return FleetEnvironment(settings, folder, port, state.simulator_url)


def additions_of_fleet(environment: FleetEnvironment) -> dict[str, str]:
    """Return what a local fleet adds to the environment; nothing where there was never one."""
    if not environment.folder.secrets.exists():
        return {}
    try:
        urls = {name: embedded_engine(name, environment.folder).url for name in environment.embedded()}
    except EngineError:  # never started, or not installed
        return {}
    return environment.additions(urls)
