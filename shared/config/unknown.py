"""Variables that look like ours and are nobody's: usually a typo.

They are no reason to refuse to start, since one environment serves services of several versions;
``penstock doctor`` and ``penstock config show`` list them.
"""

import difflib
import os
from collections.abc import Iterable, Mapping

from pydantic import BaseModel

from shared.config.variables import PREFIX, path_of, type_at

FLEET_VARIABLES = frozenset(
    {
        "PENSTOCK_CONFIG_DIR",
        "PENSTOCK_SECRETS_DIR",
        "PENSTOCK_PORT",
        "PENSTOCK_URL",
        "PENSTOCK_API_KEY",
    }
)
"""Read elsewhere than in a service's settings."""
_FOR_TESTS = "PENSTOCK_TEST_"


def unknown_variables(
    settings_types: Iterable[type[BaseModel]], *, environment: Mapping[str, str] | None = None
) -> list[str]:
    """List the ``PENSTOCK_`` variables that none of the services reads, sorted.

    Args:
        settings_types: The settings of every service that shares the environment.
        environment: Stands for the process's environment variables.
    """
    variables = os.environ if environment is None else environment  # noqa: TID251 - names only
    types = tuple(settings_types)
    return sorted(name for name in variables if _is_ours(name) and not _is_read(name, types))


def similar_variable(wanted: str, settings_type: type[BaseModel], variables: Mapping[str, str]) -> str | None:
    """Find a variable that is set, means nothing, and may be a misspelling of the one that is not set."""
    ours = unknown_variables([settings_type], environment=variables)
    return next(iter(difflib.get_close_matches(wanted, ours, n=1, cutoff=0.85)), None)


def _is_ours(name: str) -> bool:
    return name.startswith(PREFIX) and name not in FLEET_VARIABLES and not name.startswith(_FOR_TESTS)


def _is_read(name: str, settings_types: tuple[type[BaseModel], ...]) -> bool:
    path = path_of(name)
    return path is not None and any(type_at(settings_type, path) for settings_type in settings_types)
