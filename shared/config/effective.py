"""The settings as they are in effect: what ``penstock config show`` prints."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pydantic import BaseModel, SecretStr

from shared.config.layers import Layer
from shared.config.variables import Path
from shared.security.masking import MASK, mask_text, mask_url


@dataclass(frozen=True, slots=True)
class EffectiveValue:
    """One setting."""

    path: str
    """Dotted, e.g. ``broker.url``."""
    value: str
    """As text; nothing is left of a secret but the host of a URL."""
    source: str
    """E.g. ``environment PENSTOCK_BROKER__URL``, ``penstock.yaml``, ``default``."""


def effective_values(settings: BaseModel, layer: Layer) -> list[EffectiveValue]:
    """List every leaf, in the order in which the settings declare them."""
    return [
        EffectiveValue(".".join(path), _shown(value), layer.source_of(path) or "default")
        for path, value in _leaves(settings, ())
    ]


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _leaves(getattr(value, name), (*path, name))
    elif isinstance(value, dict) and value:
        for name, member in value.items():
            yield from _leaves(member, (*path, str(name)))
    else:
        yield path, value


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        return mask_url(secret) if "://" in secret else MASK
    if isinstance(value, (tuple, list, set, frozenset)):
        return ", ".join(map(_shown, value)) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or value == {}:
        return "none"
    return mask_text(str(value.value if isinstance(value, Enum) else value))
