"""Marks in the outbox that a job is on the broker."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from shared.storage.postgres import Connection

_MARK = """
UPDATE outbox o SET published_at = now()
FROM (
    SELECT o.job_id FROM outbox o
    JOIN unnest($1::uuid[], $2::integer[], $3::integer[]) AS p(job_id, attempt, publication)
      ON o.job_id = p.job_id AND o.attempt = p.attempt AND o.publication = p.publication
    WHERE o.published_at IS NULL
    FOR UPDATE OF o SKIP LOCKED
) mine
WHERE o.job_id = mine.job_id
"""


@dataclass(frozen=True, slots=True)
class Publication:
    """One deliberate publish of one attempt of a job."""

    job_id: UUID
    attempt: int
    publication: int


async def mark_published(connection: Connection, published: Collection[Publication]) -> None:
    """Note that these are on the broker, so that the sweep leaves them alone.

    A row that somebody else holds is left out instead of waited for, so that this never deadlocks with
    a transaction that ends jobs; at worst the job is published once more, and the worker drops the copy.
    """
    if published:
        await connection.execute(
            _MARK,
            [one.job_id for one in published],
            [one.attempt for one in published],
            [one.publication for one in published],
        )
