"""``penstock config show``: every effective setting and its source."""

import json
from typing import Any

from services.cli.configuration import (
    additions_of_fleet,
    fleet_environment,
    require_service,
    settings_type,
)
from services.cli.data_dir import DataDir
from services.cli.environment import own_environment
from services.cli.errors import CommandError
from services.cli.fleet import NAMES
from shared.config.loader import ConfigurationError, effective

OF_THE_FLEET = "penstock up"


def show(folder: DataDir, *, service: str | None, as_json: bool) -> None:
    """Print the settings as the services of this folder's fleet see them, secrets masked.

    Raises:
        CommandError: They cannot be used; says which and why.
    """
    if service is not None:
        require_service(service)
    environment = own_environment()
    added = additions_of_fleet(fleet_environment(folder, environment))
    rows = [
        row
        for name in ([service] if service else NAMES)
        for row in _rows(name, environment | added, {f"environment {variable}" for variable in added})
    ]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    widths = [max(len(row[column]) for row in rows) for column in ("service", "path", "value")]
    for row in rows:
        service_name, path, value = (
            f"{row[column]:<{width}}"
            for column, width in zip(("service", "path", "value"), widths, strict=True)
        )
        print(f"{service_name}  {path}  {value}  {row['source']}")


def _rows(service: str, environment: dict[str, str], ours: set[str]) -> list[dict[str, Any]]:
    known = settings_type(service)
    if known is None:
        return []
    try:
        values = effective(known, service, environment=environment)
    except ConfigurationError as error:
        raise CommandError(str(error), exit_code=78) from None
    return [
        {
            "service": service,
            "path": value.path,
            "value": value.value,
            "source": OF_THE_FLEET if value.source in ours else value.source,
        }
        for value in values
    ]
