"""Settings for running one service inside a test."""

from pathlib import Path
from typing import TypeVar

from shared.config.settings import ServiceSettings

S = TypeVar("S", bound=ServiceSettings)


def service_settings(settings_type: type[S], *, url: str, folder: Path, **sections: object) -> S:
    """Settings of a service with PostgreSQL as its store and its broker."""
    return settings_type.model_validate(
        {
            "secret_key": "x" * 32,
            "broker": {"url": url},
            "postgres": {"url": url},
            "redis": {"url": "redis://127.0.0.1:1"},
            "objects": {"url": f"file://{folder}"},
            "shutdown_grace_s": 5.0,
            **sections,
        }
    )
