"""What a fleet needs before its services start: a migrated database, and keys to call and steer it with.

It runs in a process of its own, ``python -m services.cli.preparation``: that imports alembic and
SQLAlchemy while the engines start, and the supervisor never holds them in its memory. The order comes as
one line of JSON on standard input, the answer is one line of JSON on standard output.
"""

import asyncio
import sys
from typing import Literal

from pydantic import BaseModel, SecretStr

from services.cli.tenants import Tenants, require_answer
from shared.config.settings import PostgresSettings
from shared.errors import PenstockError
from shared.security.api_keys import KeyRole
from shared.storage.migrate import migrate
from shared.storage.postgres import Database

DATABASE_TIMEOUT_S = 10.0


class Order(BaseModel):
    """What to prepare."""

    postgres_url: SecretStr
    secret_key: SecretStr
    known_key: str
    """The key of the fleet's credentials file; kept as long as the database knows it."""
    known_operator_key: str = ""
    """The same for the key that the command line steers the fleet with."""


class Prepared(BaseModel):
    """How it went."""

    outcome: Literal["done", "failed"]
    api_key: str = ""
    operator_key: str = ""
    message: str = ""


async def prepare(order: Order) -> Prepared:
    """Migrate, and find or make the key."""
    settings = PostgresSettings(url=order.postgres_url, pool_size=1, acquire_timeout_s=DATABASE_TIMEOUT_S)
    async with Database(settings, role="penstock_system", name="penstock-prepare") as database:
        try:
            await require_answer(order.postgres_url.get_secret_value())
            await migrate(order.postgres_url.get_secret_value())
            tenants = Tenants(database, order.secret_key)
            return Prepared(
                outcome="done",
                api_key=await _kept(tenants, order.known_key, KeyRole.TENANT),
                operator_key=await _kept(tenants, order.known_operator_key, KeyRole.OPERATOR),
            )
        except PenstockError as error:
            return Prepared(outcome="failed", message=error.message)


async def _kept(tenants: Tenants, known: str, role: KeyRole) -> str:
    """Return the known key while it is good, or a new one."""
    if await tenants.knows(known, role):
        return known
    return await tenants.create_key(f"local fleet ({role})", role)


def main() -> None:
    """Read the order, do it, answer."""
    line = sys.stdin.readline()
    if not line:  # the supervisor gave up
        return
    print(asyncio.run(prepare(Order.model_validate_json(line))).model_dump_json())


if __name__ == "__main__":
    main()
