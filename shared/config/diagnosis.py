"""Turns what is wrong with settings into problems that say the field, the source and the remedy."""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from shared.config.layers import Layer
from shared.config.problems import Problem
from shared.config.settings import ServiceSettings
from shared.config.unknown import similar_variable
from shared.config.variables import Path, is_section, type_at, variable_name

_PROVIDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def problems_of(
    error: ValidationError, settings_type: type[BaseModel], merged: Layer, variables: Mapping[str, str]
) -> list[Problem]:
    """Explain what pydantic found; the values themselves are left out."""
    details = error.errors(include_url=False, include_input=False)
    return [problem for detail in details for problem in _problems(detail, settings_type, merged, variables)]


def unknown_sections(settings_type: type[BaseModel], merged: Layer, service: str) -> Iterator[Problem]:
    """Find top-level names that are nothing: misspelt, or unknown in the service's own file.

    The files that all services share may have sections that only another service knows, and those may
    resemble this one's: only what resembles a setting of every service counts as misspelt there.
    """
    own_file = f"penstock.d/services/{service}.yaml"
    common = ServiceSettings.model_fields
    for name in sorted(merged.tree.keys() - settings_type.model_fields.keys() - common.keys()):
        source = merged.source_of((name,)) or ""
        close = difflib.get_close_matches(name, common, n=1, cutoff=0.8)
        if close:
            yield Problem(name, "is no setting", source, f"Did you mean {close[0]}?")
        elif source == own_file:
            yield Problem(name, "is no setting", source, f"Remove it; {service} has no such section.")


def provider_problems(merged: Layer) -> Iterator[Problem]:
    """Find providers that nobody can call: without an address, or with a name that hides the model's."""
    providers = merged.tree.get("providers")
    for name, provider in providers.items() if isinstance(providers, dict) else ():
        path, source = ("providers", name), merged.source_of(("providers", name)) or ""
        if not _PROVIDER_NAME.fullmatch(name):
            remedy = "Use letters, digits, dots, hyphens and underscores: models are called provider/model."
            yield Problem(".".join(path), "is not a usable name", source, remedy)
        elif isinstance(provider, dict) and _lacks_address(provider):
            field = (*path, "base_url")
            remedy = f"Set {variable_name(field)}, or kind: litellm for what LiteLLM knows by name."
            yield Problem(".".join(field), "is missing for a provider that is not known", source, remedy)


def _lacks_address(provider: Mapping[str, Any]) -> bool:
    return provider.get("kind", "openai") == "openai" and not provider.get("base_url")


def _problems(
    detail: ErrorDetails, settings_type: type[BaseModel], merged: Layer, variables: Mapping[str, str]
) -> Iterator[Problem]:
    path = tuple(str(part) for part in detail["loc"])
    field, source = ".".join(path), merged.source_of(path) or ""
    match detail["type"]:
        case "missing":
            for needed in _required(path, type_at(settings_type, path)):
                yield Problem(
                    ".".join(needed), "is missing", "", _how_to_set(needed, settings_type, variables)
                )
        case "extra_forbidden":
            section = type_at(settings_type, path[:-1])
            yield Problem(field, "is no setting", source, _meant(path[-1], section))
        case _:
            fault = _fault(detail, type_at(settings_type, path))
            yield Problem(field, fault, source, _how_to_correct(path, source))


def _required(path: Path, declared: Any) -> list[Path]:
    """Name what has to be set so that something that is missing is there."""
    if not is_section(declared):
        return [path]
    return [(*path, name) for name, field in declared.model_fields.items() if field.is_required()]


def _fault(detail: ErrorDetails, declared: Any) -> str:
    """Say what pydantic says, unless the text may repeat a secret."""
    message = detail["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    of_ours = detail["type"] == "value_error"
    if declared is SecretStr and not of_ours and "least" not in message:
        return "is not text that can be a secret"
    return message.replace("input should", "should").replace("string should", "should")


def _how_to_correct(path: Path, source: str) -> str:
    variable = variable_name(path)
    return "Correct it." if variable in source else f"Correct it there, or set {variable}."


def _how_to_set(path: Path, settings_type: type[BaseModel], variables: Mapping[str, str]) -> str:
    variable = variable_name(path)
    remedy = f"Set {variable}, a secret file {variable.lower()}, or {'.'.join(path)} in penstock.yaml"
    close = similar_variable(variable, settings_type, variables)
    return f"{remedy}; {close} is set: is it misspelt?" if close else f"{remedy}."


def _meant(name: str, section: Any) -> str:
    if not is_section(section):
        return "Remove it."
    close = difflib.get_close_matches(name, section.model_fields, n=1)
    return f"Did you mean {close[0]}?" if close else f"There are: {', '.join(section.model_fields)}."
