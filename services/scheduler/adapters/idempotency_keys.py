"""Idempotency keys by their age, in their table."""

from datetime import timedelta

from shared.storage.postgres import Database

_DROP = """
DELETE FROM idempotency_keys k USING (
    SELECT tenant_id, key FROM idempotency_keys WHERE created_at < now() - $1::interval
    ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
) old WHERE k.tenant_id = old.tenant_id AND k.key = old.key
"""


class IdempotencyKeysTable:
    """The keys of every tenant.

    Args:
        database: Acts as ``penstock_system``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def drop_older_than(self, hours: int, *, limit: int) -> int:
        """See ``Keys.drop_older_than``."""
        async with self._database.connection() as connection:
            done: str = await connection.execute(_DROP, timedelta(hours=hours), limit)
        return int(done.rpartition(" ")[2])
