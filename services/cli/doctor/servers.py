"""Checks of the servers that the configuration names, and of what is in the database."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, unquote, urlsplit

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from services.cli.doctor.finding import Finding, note, ok, wrong
from services.cli.tenants import Tenants, require_answer
from shared.config.settings import PostgresSettings
from shared.errors import DatabaseUnavailableError
from shared.storage.migrate import alembic_config
from shared.storage.postgres import Database

TIMEOUT_S = 3.0
DEFAULT_PORTS = {"amqp": 5672, "amqps": 5671, "redis": 6379, "rediss": 6379, "mongodb": 27017}


async def check_server(name: str, url: str, variable: str) -> Finding:
    """Open a connection and close it again; bounded, and nothing is sent."""
    parts = urlsplit(url)
    if parts.scheme == "mongodb+srv":
        return note(name, "is found by DNS: not checked")
    remedy = f"Start it, or correct {variable}."
    try:
        async with asyncio.timeout(TIMEOUT_S):
            where = await _connect(url)
    except TimeoutError:
        return wrong(name, f"{parts.hostname or parts.path} does not answer within {TIMEOUT_S:g} s", remedy)
    except (OSError, ValueError) as error:
        return wrong(name, f"{parts.hostname or parts.path} cannot be reached ({error})", remedy)
    return ok(name, f"{where} answers")


async def _connect(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "unix":
        _, writer = await asyncio.open_unix_connection(unquote(parts.path))
        where = parts.path
    else:
        host, _, port = parts.netloc.rpartition("@")[2].partition(",")[0].partition(":")
        where = f"{host}:{port or DEFAULT_PORTS[parts.scheme]}"
        _, writer = await asyncio.open_connection(host, int(port or DEFAULT_PORTS[parts.scheme]))
    writer.close()
    return where


async def check_database(url: str, *, secret_key: str, api_key: str) -> AsyncIterator[Finding]:
    """PostgreSQL answers, has the newest schema, and knows the fleet's key."""
    host = (parse_qs(urlsplit(url).query).get("host") or [urlsplit(url).hostname or "?"])[0]
    try:
        await require_answer(url)
    except DatabaseUnavailableError as error:
        yield wrong("database", error.message, "Start it, or correct PENSTOCK_POSTGRES__URL.")
        return
    yield ok("database", f"{host} answers")
    schema = await asyncio.to_thread(_schema, url)
    yield schema
    if schema.state == "ok" and api_key:
        yield await _key(url, secret_key, api_key)


def _schema(url: str) -> Finding:
    config = alembic_config(url)
    newest = ScriptDirectory.from_config(config).get_current_head()
    engine = create_engine(config.attributes["url"], poolclass=NullPool)
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        return wrong("schema", f"cannot be read ({type(error).__name__})", "See the database's log.")
    if current != newest:
        return wrong("schema", f"is at {current or 'nothing'}, the code needs {newest}", "penstock migrate")
    return ok("schema", f"is at {current}")


async def _key(url: str, secret_key: str, api_key: str) -> Finding:
    settings = PostgresSettings(url=SecretStr(url), pool_size=1, acquire_timeout_s=TIMEOUT_S)
    async with Database(settings, role="penstock_system", name="penstock-doctor") as database:
        try:
            known = await Tenants(database, SecretStr(secret_key)).knows(api_key)
        except DatabaseUnavailableError as error:
            return wrong("api key", error.message, "Run `penstock doctor` again.")
    if known:
        return ok("api key", "the one in credentials.json is valid")
    return wrong(
        "api key", "the one in credentials.json is not valid", "Start the fleet again: it makes one."
    )
