"""What each tenant's idempotency keys created, as PostgreSQL remembers it."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from services.ingress.adapters.patience import database_patience
from services.ingress.domain.idempotency import (
    IdempotencyKeyInUseError,
    IdempotencyKeyReusedError,
    KeyUse,
)
from shared.errors import DatabaseUnavailableError
from shared.storage.postgres import Connection, Database

LOOKS = 25
LOOK_AGAIN_S = 0.05
"""While another transaction has the key: together less than ``DATABASE_PATIENCE_S``."""

_FIND = "SELECT fingerprint, object_id, status, answer FROM idempotency_keys WHERE key = $1"
_TRY = "SELECT pg_try_advisory_xact_lock(hashtextextended($1::uuid::text || $2, 0))"
_TAKE = """
INSERT INTO idempotency_keys (tenant_id, key, fingerprint, object_id, status) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, key) DO NOTHING RETURNING true
"""
_KEEP = "UPDATE idempotency_keys SET status = $2, answer = $3 WHERE key = $1"


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a key created."""

    object_id: UUID
    status: int
    answer: bytes | None
    """None where it is to be read from the object."""


class IdempotencyKeys:
    """Looks keys up, and takes them inside the transaction that creates something.

    Args:
        database: As ``penstock_app``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, tenant_id: UUID, use: KeyUse) -> Remembered | None:
        """Return what the key created; None when it is new.

        Raises:
            IdempotencyKeyReusedError: It belongs to another request.
            DatabaseUnavailableError: Within two seconds.
        """
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            return await _find(connection, use)

    async def take(
        self, connection: Connection, tenant_id: UUID, use: KeyUse, object_id: UUID
    ) -> Remembered | None:
        """Take a key first thing in a transaction that acts for the tenant.

        Another transaction that has taken it is waited for, but for less than the patience of a caller: if
        it commits, what it created is returned, and nothing is to be created here.

        Returns:
            None when the key is now this transaction's; it is given back if the transaction fails.

        Raises:
            IdempotencyKeyReusedError: It belongs to another request.
            IdempotencyKeyInUseError: The other transaction takes its time.
        """
        for _ in range(LOOKS):
            if await connection.fetchval(_TRY, tenant_id, use.key):
                break
            await asyncio.sleep(LOOK_AGAIN_S)
        else:
            raise IdempotencyKeyInUseError
        if await connection.fetchval(_TAKE, tenant_id, use.key, use.fingerprint, object_id, 0):
            return None
        found = await _find(connection, use)
        if found is None:  # dropped by retention between the two statements
            raise DatabaseUnavailableError("The Idempotency-Key is being dropped; try again.")
        return found

    async def keep(self, connection: Connection, use: KeyUse, *, status: int, answer: bytes | None) -> None:
        """Keep the answer of what was created; None where it is to be read from the object."""
        await connection.execute(_KEEP, use.key, status, None if answer is None else answer.decode())


async def _find(connection: Connection, use: KeyUse) -> Remembered | None:
    row: asyncpg.Record | None = await connection.fetchrow(_FIND, use.key)
    if row is None:
        return None
    if row["fingerprint"] != use.fingerprint:
        raise IdempotencyKeyReusedError
    answer = row["answer"]
    return Remembered(row["object_id"], row["status"], None if answer is None else answer.encode())
