"""Loads a service's settings, and explains where each value came from.

Highest first: environment, Docker secrets, ``penstock.d/services/<service>.yaml``,
``penstock.d/environments/<environment>.yaml``, ``penstock.yaml``, the usual variables of providers
(``OPENAI_API_KEY``), what is known of a provider (its address), defaults. Groups are merged member by
member. The files are in ``PENSTOCK_CONFIG_DIR`` (the current folder), secrets in ``PENSTOCK_SECRETS_DIR``
(``/run/secrets``), the environment's name is ``PENSTOCK_ENVIRONMENT``.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from shared.config.diagnosis import problems_of, provider_problems, unknown_sections
from shared.config.effective import EffectiveValue, effective_values
from shared.config.known_providers import USUAL_VARIABLES, known_defaults, usual_variables_layer
from shared.config.layers import Layer, Tree, laid_over
from shared.config.problems import ConfigurationError, Problem
from shared.config.settings import ProcessSettings
from shared.config.sources import environment_layer, secret_files, secrets_layer, yaml_layer
from shared.config.unknown import unknown_variables
from shared.config.variables import is_section, type_at

__all__ = ["ConfigurationError", "EffectiveValue", "effective", "load_settings", "unknown_variables"]

S = TypeVar("S", bound=ProcessSettings)

CONFIG_DIR = "PENSTOCK_CONFIG_DIR"
SECRETS_DIR = "PENSTOCK_SECRETS_DIR"
ENVIRONMENT = "PENSTOCK_ENVIRONMENT"


def load_settings(settings_type: type[S], *, service: str, environment: Mapping[str, str] | None = None) -> S:
    """Read the settings of a service.

    Args:
        settings_type: What it wants to know.
        service: Its name, e.g. ``provider_worker``.
        environment: Stands for the process's environment variables.

    Raises:
        ConfigurationError: Something is missing, misspelt or of the wrong type; names all there is.
    """
    return _load(settings_type, service, environment)[0]


def effective(
    settings_type: type[ProcessSettings], service: str, *, environment: Mapping[str, str] | None = None
) -> list[EffectiveValue]:
    """List every setting of a service with its value, secrets masked, and the value's source.

    Raises:
        ConfigurationError: As :func:`load_settings`.
    """
    return effective_values(*_load(settings_type, service, environment))


def _load(settings_type: type[S], service: str, environment: Mapping[str, str] | None) -> tuple[S, Layer]:
    variables = os.environ if environment is None else environment  # noqa: TID251 - the one place
    try:
        merged = laid_over(reversed(_layers(settings_type, service, variables)))
    except ConfigurationError as error:
        raise ConfigurationError(error.problems, service=service) from error.__cause__
    sections = Layer.of(_defaults_of_sections(settings_type, merged.tree), "default")
    merged = laid_over([sections, _defaults_of_providers(merged), merged])
    problems = [*unknown_sections(settings_type, merged, service), *provider_problems(merged)]
    try:
        settings = settings_type.model_validate(merged.tree)
    except ValidationError as error:
        problems += problems_of(error, settings_type, merged, variables)
        raise ConfigurationError(problems, service=service) from None  # its text repeats the values
    if problems:
        raise ConfigurationError(problems, service=service)
    return settings, merged


def _layers(settings_type: type[S], service: str, variables: Mapping[str, str]) -> list[Layer]:
    """Read every place, highest first."""
    folder = _folder(variables, CONFIG_DIR, ".")
    secrets = secret_files(_folder(variables, SECRETS_DIR, "/run/secrets"), usual=USUAL_VARIABLES)
    from_environment = environment_layer(settings_type, variables)
    from_secrets = secrets_layer(settings_type, secrets)
    shared = yaml_layer(settings_type, folder / "penstock.yaml", shown_as="penstock.yaml")
    name = _environment_name(laid_over([shared, from_secrets, from_environment]))

    def more_yaml(path: str) -> Layer:
        return yaml_layer(settings_type, folder / path, shown_as=path)

    usual = secrets | {name: (text, f"environment {name}") for name, text in variables.items() if text}
    return [
        from_environment,
        from_secrets,
        more_yaml(f"penstock.d/services/{service}.yaml"),
        more_yaml(f"penstock.d/environments/{name}.yaml"),
        shared,
        usual_variables_layer(usual),
    ]


def _folder(variables: Mapping[str, str], variable: str, default: str) -> Path:
    named = variables.get(variable)
    folder = Path(named or default)
    if named and not folder.is_dir():
        remedy = f"Create it, or change {variable}."
        raise ConfigurationError([Problem(named, "is not a folder", f"environment {variable}", remedy)])
    return folder


def _environment_name(known: Layer) -> str:
    """Decide whose file under ``environments/`` counts; that file itself has no say in it."""
    name = str(known.tree.get("environment", ProcessSettings.model_fields["environment"].default))
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        remedy = "Use letters, digits, dots, hyphens and underscores."
        source = known.source_of(("environment",)) or ""
        raise ConfigurationError([Problem("environment", "is not a usable name", source, remedy)])
    return name


def _defaults_of_sections(declared: type[BaseModel], tree: Tree) -> Tree:
    """Take the defaults of the sections that somebody set a part of.

    A section's own default can say more than the defaults of its members, and setting one member must
    not lose the others.
    """
    defaults: Tree = {}
    for name, value in tree.items():
        field, inner = declared.model_fields.get(name), type_at(declared, (name,))
        if field is None or not isinstance(value, dict):
            continue
        default = field.get_default(call_default_factory=True, validated_data={})
        if isinstance(default, BaseModel):
            defaults[name] = default.model_dump()
        elif is_section(inner):
            defaults[name] = _defaults_of_sections(inner, value)
    return defaults


def _defaults_of_providers(merged: Layer) -> Layer:
    """Fill in what is known of the providers that somebody switched on."""
    layer, providers = Layer(), merged.tree.get("providers")
    for name, values in known_defaults().items():
        if isinstance(providers, dict) and isinstance(providers.get(name), dict):
            for field, value in values.items():
                layer.put(("providers", name, field), value, f"default of {name}")
    return layer
