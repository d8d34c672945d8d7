"""Checks that several kinds of request share; each names the field at fault as OpenAI does."""

from collections.abc import Collection, Mapping
from typing import Any

from services.ingress.domain.json_text import type_name
from shared.errors import InvalidRequestError, UnprocessableRequestError

_KINDS: Mapping[str, tuple[type, ...]] = {
    "a string": (str,),
    "a boolean": (bool,),
    "an integer": (int,),
    "a number": (int, float),
    "an array": (list,),
    "an object": (dict,),
}


def required(fields: Mapping[str, Any], name: str, *, within: str = "") -> Any:
    """Return a member that must be there and not null.

    Raises:
        InvalidRequestError: It is missing.
    """
    value = fields.get(name)
    if value is None:
        raise InvalidRequestError(f"Missing required parameter: '{within}{name}'.", param=within + name)
    return value


def refuse_unknown(given: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse members that the route does not have.

    Raises:
        InvalidRequestError: With the first of them.
    """
    unknown = sorted(given.keys() - set(known))
    if unknown:
        name = unknown[0][:80]
        raise InvalidRequestError(f"Unrecognized request argument: {name!r}.", param=name)


def expect(value: object, kind: str, param: str) -> None:
    """Check a value's JSON type.

    Raises:
        InvalidRequestError: It has another one.
    """
    wrong_boolean = isinstance(value, bool) and kind != "a boolean"
    if wrong_boolean or not isinstance(value, _KINDS[kind]):
        raise wrong_type(value, kind, param)


def wrong_type(value: object, expected: str, param: str) -> InvalidRequestError:
    """Say that a value has the wrong JSON type."""
    return InvalidRequestError(
        f"Invalid type for '{param}': expected {expected}, but got {type_name(value)} instead.", param=param
    )


def expect_optional(fields: Mapping[str, Any], kinds: Mapping[str, str]) -> None:
    """Check the types of members that may be absent or null."""
    for name, kind in kinds.items():
        value = fields.get(name)
        if value is not None:
            expect(value, kind, name)


def model_name(fields: Mapping[str, Any]) -> str:
    """Return the model that a body names.

    Raises:
        InvalidRequestError: It names none.
        UnprocessableRequestError: The name cannot be one.
    """
    model = required(fields, "model")
    expect(model, "a string", "model")
    if not 1 <= len(model) <= 256 or not model.isprintable():
        raise UnprocessableRequestError("'model' must be 1 to 256 printable characters.", param="model")
    return str(model)


def storable(text: str, param: str) -> str:
    """Return a text that PostgreSQL can hold.

    Raises:
        UnprocessableRequestError: It has a NUL.
    """
    if "\0" in text:
        raise UnprocessableRequestError(f"'{param}' must not hold the character NUL.", param=param)
    return text
