"""Looks after those who wait for jobs, as the broadcast that should wake them may be lost."""

import asyncio
from collections import defaultdict
from uuid import UUID

from services.ingress.adapters.job_watch import JobWatch, Watcher
from services.ingress.adapters.patience import database_patience
from shared.errors import DatabaseUnavailableError
from shared.storage.postgres import Connection, Database, act_for

AFTER_S = 2.0
"""How long a waiter waits in vain for a broadcast that was lost, unless very many wait."""
PAUSE_S = 0.2
WAITERS = 1_000
TENANTS = 50
"""In one look. Five looks a second serve 10,000 waiters every two seconds; more of them, or of ever more
tenants, are served less often instead of at a higher price."""

_NEWER = """
SELECT id, last_event FROM jobs
WHERE id = ANY($1::uuid[]) AND id BETWEEN $2 AND $3 AND last_event > $4
"""


class SecondLook:
    """One query for many waiters, in place of one each.

    Args:
        database: As ``penstock_app``.
        watch: Who waits.
    """

    def __init__(self, database: Database, watch: JobWatch) -> None:
        self._database = database
        self._watch = watch

    async def run(self) -> None:
        """Look until cancelled; while PostgreSQL is away, everybody waits on."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(PAUSE_S)
            watchers = self._watch.overdue(clock(), after_s=AFTER_S, limit=WAITERS, tenants=TENANTS)
            by_tenant: dict[UUID, list[Watcher]] = defaultdict(list)
            for watcher in watchers:
                if watcher.seen >= 0:  # else it is about to read for the first time
                    by_tenant[watcher.tenant_id].append(watcher)
            if by_tenant:
                await self._look(by_tenant)

    async def _look(self, by_tenant: dict[UUID, list[Watcher]]) -> None:
        try:
            async with database_patience(), self._database.transaction() as connection:
                for tenant_id, watchers in by_tenant.items():
                    await act_for(connection, tenant_id)
                    await _wake(connection, watchers)
        except DatabaseUnavailableError:
            return  # the health of the service tells; these are looked after again


async def _wake(connection: Connection, watchers: list[Watcher]) -> None:
    """Wake those whose job has an event that they have not seen; of idle ones PostgreSQL returns nothing."""
    ids = sorted({watcher.job_id for watcher in watchers})
    least = min(watcher.seen for watcher in watchers)
    rows = await connection.fetch(_NEWER, ids, ids[0], ids[-1], least)
    newest = {row["id"]: row["last_event"] for row in rows}
    if newest:
        for watcher in watchers:
            if newest.get(watcher.job_id, 0) > watcher.seen:
                watcher.wake()
