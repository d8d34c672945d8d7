"""``penstock migrate`` and ``penstock keys``: what is done to the database of a fleet."""

import asyncio

from pydantic import SecretStr

from services.cli.configuration import additions_of_fleet, fleet_environment
from services.cli.data_dir import DataDir
from services.cli.environment import own_environment
from services.cli.errors import CommandError
from services.cli.tenants import Tenants, require_answer
from shared.config.settings import PostgresSettings
from shared.errors import DatabaseUnavailableError
from shared.security.api_keys import KeyRole
from shared.storage.migrate import migrate
from shared.storage.postgres import Database

TIMEOUT_S = 10.0


def migrate_database(folder: DataDir) -> None:
    """Apply the migrations that are missing.

    Raises:
        CommandError: The database does not answer.
    """
    url, _ = _access(folder)
    asyncio.run(_migrate(url))
    print("The database has the newest schema.")


def create_key(folder: DataDir, name: str, *, operator: bool) -> None:
    """Print a new key.

    Raises:
        CommandError: The database does not answer, or the secret key is not known.
    """
    url, secret_key = _access(folder)
    if not secret_key:
        raise CommandError("Set PENSTOCK_SECRET_KEY to the fleet's secret key.")
    role = KeyRole.OPERATOR if operator else KeyRole.TENANT
    print(asyncio.run(_create_key(url, SecretStr(secret_key), name, role)))


async def _migrate(url: str) -> None:
    await _answers(url)
    await migrate(url)


async def _create_key(url: str, pepper: SecretStr, name: str, role: KeyRole) -> str:
    await _answers(url)
    async with _database(url) as database:
        return await Tenants(database, pepper).create_key(name, role)


async def _answers(url: str) -> None:
    try:
        await require_answer(url)
    except DatabaseUnavailableError as error:
        raise CommandError(f"{error.message} Does it run, and is PENSTOCK_POSTGRES__URL right?") from None


def _database(url: str) -> Database:
    settings = PostgresSettings(url=SecretStr(url), pool_size=1, acquire_timeout_s=TIMEOUT_S)
    return Database(settings, role="penstock_system", name="penstock-cli")


def _access(folder: DataDir) -> tuple[str, str]:
    """Return the URL of the database, and the secret key or nothing."""
    environment = fleet_environment(folder, own_environment())
    added = additions_of_fleet(environment)
    settings = environment.settings
    url = settings.postgres.url.get_secret_value() if settings.postgres.url else ""
    key = settings.secret_key.get_secret_value() if settings.secret_key else ""
    url = url or added.get("PENSTOCK_POSTGRES__URL", "")
    if not url:
        raise CommandError(
            f"Set PENSTOCK_POSTGRES__URL, or start a fleet in {folder.path} with `penstock up`."
        )
    return url, key or added.get("PENSTOCK_SECRET_KEY", "")
