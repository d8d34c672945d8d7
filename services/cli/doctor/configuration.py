"""Checks of the configuration of every service."""

from collections.abc import Iterator, Mapping

from services.cli.configuration import settings_type
from services.cli.doctor.finding import Finding, note, ok, wrong
from services.cli.fleet import NAMES
from services.cli.settings import FleetSettings
from shared.config.loader import ConfigurationError, load_settings, unknown_variables
from shared.config.settings import ProcessSettings, ServiceSettings


def check_configuration(environment: Mapping[str, str], added: Mapping[str, str]) -> Iterator[Finding]:
    """Each service's settings, variables that nobody reads, and providers.

    Args:
        environment: The user's.
        added: What the local fleet adds; empty where there was never one.
    """
    types: dict[str, type[ProcessSettings]] = {
        name: known for name in NAMES if (known := settings_type(name)) is not None
    }
    complete = dict(environment) | dict(added)
    for name, known in types.items() if added else ():
        yield _loads(name, known, complete)
    for variable in unknown_variables([*types.values(), FleetSettings], environment=environment):
        yield note("configuration", f"nothing reads {variable}", "Correct its name, or unset it.")
    if added:
        yield _providers(types, complete)


def _loads(name: str, known: type[ProcessSettings], environment: Mapping[str, str]) -> Finding:
    try:
        load_settings(known, service=name, environment=environment)
    except ConfigurationError as error:
        return wrong(f"settings of {name}", str(error), "Correct what the message names.")
    return ok(f"settings of {name}", "are complete")


def _providers(types: Mapping[str, type[ProcessSettings]], environment: Mapping[str, str]) -> Finding:
    known = types.get("provider_worker", ServiceSettings)
    try:
        settings = load_settings(known, service="provider_worker", environment=environment)
    except ConfigurationError:
        return note("providers", "not known while the settings are wrong")
    names = sorted(settings.providers) if isinstance(settings, ServiceSettings) else []
    if names == ["simulator"]:
        remedy = "Set a provider's key, e.g. OPENAI_API_KEY, to call real models."
        return note("providers", "only the simulator", remedy)
    return ok("providers", ", ".join(names))
