"""Jobs that were published and not mentioned since, in the outbox."""

from collections.abc import Sequence
from datetime import timedelta

from shared.contracts.jobs import Lane, Operation
from shared.storage.postgres import Database

_KINDS = """
SELECT DISTINCT j.operation, j.lane
FROM outbox o JOIN jobs j ON j.id = o.job_id
WHERE o.published_at IS NOT NULL AND greatest(o.published_at, o.held_at) < now() - $1::interval
  AND o.publication < $2
"""

_RENEW = """
WITH silent AS (
    SELECT o.job_id
    FROM outbox o JOIN jobs j ON j.id = o.job_id AND j.operation = $2 AND j.lane = $3
    WHERE o.published_at IS NOT NULL AND greatest(o.published_at, o.held_at) < now() - $1::interval
      AND o.publication < $5
    ORDER BY greatest(o.published_at, o.held_at) LIMIT $4
    FOR UPDATE OF o SKIP LOCKED
)
UPDATE outbox o
SET publication = o.publication + 1, published_at = NULL, held_at = NULL, tried_at = NULL, due_at = now()
FROM silent WHERE o.job_id = silent.job_id
RETURNING o.job_id
"""


class SilentJobsTable:
    """The silent jobs of every tenant.

    Args:
        database: Acts as ``penstock_system``.
        max_publications: An attempt that was put on the broker so often is left to its deadline: its end
            cannot be recorded, and each time may have been a call of its provider.
    """

    def __init__(self, database: Database, *, max_publications: int) -> None:
        self._database = database
        self._max_publications = max_publications

    async def kinds(self, *, after_s: float) -> Sequence[tuple[Operation, Lane]]:
        """See ``SilentJobs.kinds``."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_KINDS, timedelta(seconds=after_s), self._max_publications)
        return [(Operation(row["operation"]), Lane(row["lane"])) for row in rows]

    async def renew(self, kind: tuple[Operation, Lane], *, after_s: float, limit: int) -> int:
        """See ``SilentJobs.renew``."""
        operation, lane = kind
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                _RENEW,
                timedelta(seconds=after_s),
                operation.value,
                lane.value,
                limit,
                self._max_publications,
            )
        return len(rows)
