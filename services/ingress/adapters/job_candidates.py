"""Which of a tenant's jobs a bulk action may be for."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from services.ingress.adapters.patience import database_patience
from services.ingress.domain.bulk import Selection
from shared.storage.postgres import Database

Kind = Literal["open", "unsuccessful"]

_FILTERS = """
  AND ($2::uuid IS NULL OR j.id < $2) AND ($3::uuid IS NULL OR j.id >= $3)
  AND ($4::text[] IS NULL OR j.status = ANY($4)) AND ($5::text IS NULL OR j.operation = $5)
  AND ($6::text IS NULL OR j.model = $6) AND ($7::text IS NULL OR j.lane = $7)
  AND ($8::jsonb IS NULL OR j.metadata @> $8)
ORDER BY j.id DESC LIMIT $9
"""
_STATEMENTS: dict[Kind, str] = {
    # The outbox is as small as the backlog; jobs are many and most have their end.
    "open": f"""
SELECT j.id FROM outbox o JOIN jobs j ON j.id = o.job_id
WHERE o.tenant_id = $1 AND j.status IN ('queued', 'in_progress')
{_FILTERS}""",  # noqa: S608 - a constant
    "unsuccessful": f"""
SELECT j.id FROM jobs j
WHERE j.tenant_id = $1 AND j.status IN ('failed', 'cancelled', 'expired', 'incomplete')
  AND j.background AND j.erased_at IS NULL AND (j.erase_at IS NULL OR j.erase_at > now())
{_FILTERS}""",  # noqa: S608 - a constant
}


class JobCandidates:
    """Finds jobs by filter; what is found may have changed a moment later."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, tenant_id: UUID, kind: Kind, wanted: Selection, *, before: UUID | None, limit: int
    ) -> Sequence[UUID]:
        """Return the newest ids below ``before``, newest first.

        Raises:
            DatabaseUnavailableError: PostgreSQL is away, or takes too long.
        """
        conditions = wanted.filter
        async with database_patience(), self._database.transaction(tenant_id) as connection:
            rows = await connection.fetch(
                _STATEMENTS[kind],
                tenant_id,
                before,
                conditions.since,
                conditions.statuses,
                conditions.operation,
                conditions.model,
                conditions.lane,
                wanted.metadata,
                limit,
            )
        return [row["id"] for row in rows]
