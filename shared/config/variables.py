"""Variables and the settings they name: ``PENSTOCK_BROKER__URL`` is ``broker.url``.

The same rule reads the environment and secret files. A value is text: lists are separated by commas or
written as JSON, groups are JSON objects, everything else is left for pydantic to read.
"""

import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeGuard, Union, get_args, get_origin

import orjson
from pydantic import BaseModel

PREFIX = "PENSTOCK_"
DELIMITER = "__"

Path = tuple[str, ...]
"""Where a setting is, from the outside in."""


def variable_name(path: Iterable[str]) -> str:
    """Name the variable of a setting, e.g. ``PENSTOCK_PROVIDERS__MY_PROVIDER__BASE_URL``."""
    return PREFIX + DELIMITER.join(folded(part) for part in path).upper()


def folded(name: str) -> str:
    """Spell a name as a variable can: ``my-provider`` and ``gpt-4.1`` have characters that it cannot."""
    return "".join(character if character.isalnum() else "_" for character in name.lower())


def path_of(variable: str) -> Path | None:
    """Read the path out of a variable's name; None when it is not one of ours."""
    if not variable.upper().startswith(PREFIX):
        return None
    parts = tuple(variable[len(PREFIX) :].lower().split(DELIMITER))
    return parts if all(parts) else None


def type_at(declared: Any, path: Path) -> Any:
    """Look up the declared type of a setting below ``declared``; None when nothing is declared there."""
    found = declared
    for name in path:
        found = _bare(found)
        if is_section(found):
            field = found.model_fields.get(name)
            found = field.annotation if field else None
        elif is_group(found):
            found = get_args(found)[1]
        else:
            return None
    return _bare(found)


def is_section(declared: Any) -> TypeGuard[type[BaseModel]]:
    """Tell whether a declared type is a group of settings."""
    return isinstance(declared, type) and issubclass(declared, BaseModel)


def is_group(declared: Any) -> bool:
    """Tell whether a declared type has members: a section, or a mapping by name."""
    kind = get_origin(declared) or declared
    return isinstance(kind, type) and issubclass(kind, (BaseModel, Mapping))


def value_of(text: str, declared: Any) -> Any:
    """Turn the text of a variable into what its setting wants.

    Raises:
        ValueError: The setting is a group and the text is no JSON object.
    """
    kind = get_origin(declared) or declared
    if not isinstance(kind, type):
        return text
    if issubclass(kind, (tuple, list, set, frozenset)):
        if text.lstrip().startswith("["):
            return orjson.loads(text)
        return [item.strip() for item in text.split(",") if item.strip()]
    if is_group(declared):
        if not text.lstrip().startswith("{"):
            raise ValueError("not a JSON object")
        return orjson.loads(text)
    return text


def _bare(declared: Any) -> Any:
    """Take ``Annotated`` and ``| None`` off a type."""
    while True:
        origin = get_origin(declared)
        if origin is Annotated:
            declared = get_args(declared)[0]
        elif origin in (Union, types.UnionType):
            members = [member for member in get_args(declared) if member is not types.NoneType]
            if len(members) != 1:
                return declared
            declared = members[0]
        else:
            return declared
