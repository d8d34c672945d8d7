"""Jobs that are due and not on the broker, counted by queue."""

from collections.abc import Mapping

from services.scheduler.domain.backlog import Kind
from shared.contracts.jobs import Lane, Operation
from shared.storage.postgres import Database

LOOKED_AT = 2000
"""Of more than these, the longest due ones speak for the rest."""

_COUNT = "SELECT count(*) FROM outbox WHERE published_at IS NULL AND due_at <= now()"

# LATERAL with OFFSET 0 looks each job up by its key, whatever the planner thinks of the number of jobs.
_KINDS = """
SELECT j.operation, j.lane, count(*) AS jobs
FROM (SELECT job_id FROM outbox WHERE published_at IS NULL AND due_at <= now() ORDER BY due_at LIMIT $1) o,
     LATERAL (SELECT operation, lane FROM jobs WHERE id = o.job_id OFFSET 0) j
GROUP BY j.operation, j.lane
"""


class UnpublishedTable:
    """The outbox of every tenant.

    Args:
        database: Acts as ``penstock_system``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def counts(self) -> Mapping[Kind, int]:
        """See ``Unpublished.counts``."""
        async with self._database.connection() as connection:
            total: int = await connection.fetchval(_COUNT)
            if not total:
                return {}
            rows = await connection.fetch(_KINDS, LOOKED_AT)
        scale = max(1.0, total / LOOKED_AT)
        return {(Operation(row["operation"]), Lane(row["lane"])): round(row["jobs"] * scale) for row in rows}
