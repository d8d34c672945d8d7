"""The default tenant and its API keys."""

from uuid import UUID

import asyncpg
from pydantic import SecretStr

from shared.contracts.ids import new_id
from shared.errors import AuthenticationError, DatabaseUnavailableError
from shared.security.api_keys import KeyRole, mint, parse, verify
from shared.storage.postgres import Connection, Database

CONNECT_TIMEOUT_S = 5.0
DEFAULT_TENANT = "default"
_LOCK = 4_207_731_155_019
"""Advisory lock that keeps two processes from making the tenant twice."""


class Tenants:
    """What the command line may do with tenants and keys.

    Args:
        database: Acts as ``penstock_system``.
        pepper: The fleet's secret key.
    """

    def __init__(self, database: Database, pepper: SecretStr) -> None:
        self._database = database
        self._pepper = pepper

    async def create_key(self, name: str, role: KeyRole = KeyRole.TENANT) -> str:
        """Mint a key of the default tenant, which is made if missing; the key is stored nowhere.

        Raises:
            DatabaseUnavailableError: Nothing was created.
        """
        minted = mint(self._pepper)
        async with self._database.transaction() as connection:
            tenant = await _default_tenant(connection)
            await connection.execute(
                "INSERT INTO api_keys (id, tenant_id, key_id, digest, name, role)"
                " VALUES ($1, $2, $3, $4, $5, $6)",
                new_id(),
                tenant,
                minted.key_id,
                minted.digest,
                name,
                role.value,
            )
        return minted.key

    async def knows(self, key: str, role: KeyRole = KeyRole.TENANT) -> bool:
        """Whether a key would be accepted and has this role.

        Raises:
            DatabaseUnavailableError: Nobody can say.
        """
        try:
            key_id, secret = parse(key)
        except AuthenticationError:
            return False
        async with self._database.transaction() as connection:
            digest = await connection.fetchval(
                "SELECT digest FROM api_keys WHERE key_id = $1 AND role = $2 AND revoked_at IS NULL",
                key_id,
                role.value,
            )
        return digest is not None and verify(secret, digest, self._pepper)


async def _default_tenant(connection: Connection) -> UUID:
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    found: UUID | None = await connection.fetchval(
        "SELECT id FROM tenants WHERE name = $1 ORDER BY created_at LIMIT 1", DEFAULT_TENANT
    )
    if found is None:
        found = new_id()
        await connection.execute("INSERT INTO tenants (id, name) VALUES ($1, $2)", found, DEFAULT_TENANT)
    return found


async def require_answer(url: str) -> None:
    """Connect once, as the role of the URL.

    Raises:
        DatabaseUnavailableError: It does not answer within some seconds, or refuses; says why.
    """
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S)
        await connection.close(timeout=CONNECT_TIMEOUT_S)
    except TimeoutError:
        why = f"no answer within {CONNECT_TIMEOUT_S:g} s"
        raise DatabaseUnavailableError(f"PostgreSQL cannot be used: {why}.") from None
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise DatabaseUnavailableError(f"PostgreSQL cannot be used: {error}.") from None
