"""One change of many jobs: in portions, so that no transaction holds many of them for long."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.ingress.adapters.job_candidates import JobCandidates, Kind
from services.ingress.adapters.job_rows import JobRows
from services.ingress.domain.bulk import Selection
from services.ingress.domain.job import Job
from shared.errors import ConflictError, DatabaseUnavailableError, NotFoundError, PenstockError

CHUNK = 200
"""Jobs in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is done to jobs."""

    kind: Kind
    """Where its jobs are found."""
    apply: Callable[[UUID, Collection[UUID]], Awaitable[Mapping[UUID, int]]]
    """Changes those jobs of a tenant whose state allows it; returns them with their attempts."""
    why_not: Callable[[Job], PenstockError | None]
    """Says why a job's state does not allow it."""
    tell: Callable[[UUID, Mapping[UUID, int]], Awaitable[None]]
    """Spreads the news of what was changed."""


@dataclass(slots=True)
class Outcome:
    """What became of a bulk action."""

    changed: list[UUID] = field(default_factory=list)
    """Or, in a dry run, what would be."""
    refused: list[tuple[UUID, PenstockError]] = field(default_factory=list)
    has_more: bool = False
    """Repeat it, after :attr:`last`."""
    last: UUID | None = None


class BulkChanges:
    """Applies changes."""

    def __init__(self, candidates: JobCandidates, rows: JobRows) -> None:
        self._candidates = candidates
        self._rows = rows

    async def run(self, tenant_id: UUID, wanted: Selection, change: Change) -> Outcome:
        """Change the jobs that are wanted.

        Raises:
            DatabaseUnavailableError: Nothing was changed; later, the outcome says how far it went.
        """
        if wanted.ids is not None:
            return await self._named(tenant_id, wanted.ids, change, dry_run=wanted.dry_run)
        return await self._matching(tenant_id, wanted, change)

    async def _matching(self, tenant_id: UUID, wanted: Selection, change: Change) -> Outcome:
        outcome, left = Outcome(last=wanted.filter.before), wanted.limit
        try:
            while left > 0:
                size = min(CHUNK, left)
                ids = await self._candidates.page(
                    tenant_id, change.kind, wanted, before=outcome.last, limit=size
                )
                if ids:
                    outcome.changed += ids if wanted.dry_run else await self._apply(tenant_id, ids, change)
                    outcome.last = ids[-1]
                if len(ids) < size:
                    return outcome
                left -= size
            outcome.has_more = bool(
                await self._candidates.page(tenant_id, change.kind, wanted, before=outcome.last, limit=1)
            )
        except DatabaseUnavailableError:
            if not outcome.changed:
                raise
            outcome.has_more = True
        return outcome

    async def _named(self, tenant_id: UUID, ids: Sequence[UUID], change: Change, *, dry_run: bool) -> Outcome:
        outcome = Outcome()
        for at in range(0, len(ids), CHUNK):
            chunk = ids[at : at + CHUNK]
            try:
                if not dry_run:
                    outcome.changed += await self._apply(tenant_id, chunk, change)
                await self._look(tenant_id, chunk, change, outcome, dry_run=dry_run)
            except DatabaseUnavailableError as error:
                if not outcome.changed:
                    raise
                done = {*outcome.changed, *(job_id for job_id, _ in outcome.refused)}
                outcome.refused += [(job_id, error) for job_id in ids if job_id not in done]
                break
        return outcome

    async def _look(
        self, tenant_id: UUID, ids: Collection[UUID], change: Change, outcome: Outcome, *, dry_run: bool
    ) -> None:
        """Say of those that are not changed why, or in a dry run which would be."""
        changed = set(outcome.changed)
        others = [job_id for job_id in ids if job_id not in changed]
        found = await self._rows.several(tenant_id, others)
        for job_id in others:
            reason = _reason(found.get(job_id), change)
            if reason is None and dry_run:
                outcome.changed.append(job_id)
            else:
                outcome.refused.append((job_id, reason or ConflictError("The job has just changed.")))

    async def _apply(self, tenant_id: UUID, ids: Collection[UUID], change: Change) -> list[UUID]:
        changed = await change.apply(tenant_id, ids)
        await change.tell(tenant_id, changed)
        return [job_id for job_id in ids if job_id in changed]


def _reason(job: Job | None, change: Change) -> PenstockError | None:
    return NotFoundError("There is no job with this id.") if job is None else change.why_not(job)
