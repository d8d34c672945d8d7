"""Applies the migrations: ``python -m shared.storage.migrate`` in a cluster, by the supervisor locally."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config


def alembic_config(url: str) -> Config:
    """Describe the migrations of this package for the database at ``url``."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url.replace("postgres://", "postgresql://").replace(
        "postgresql://", "postgresql+psycopg://", 1
    )
    return config


async def migrate(url: str) -> None:
    """Bring a database to the newest revision; concurrent calls wait for each other.

    Args:
        url: ``postgresql://…`` of a role that may create tables and roles.
    """
    await asyncio.to_thread(command.upgrade, alembic_config(url), "head")
