"""News of what callers changed: to those who wait here and elsewhere, and to the workers."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from services.ingress.adapters.background import Background
from services.ingress.adapters.broker_link import BrokerLink
from services.ingress.adapters.cancellation import Cancellation
from services.ingress.adapters.job_watch import JobWatch
from shared.contracts.jobs import JOBS_A_BROADCAST, JobsChanged


class ChangeNotices:
    """Spreads news in the background; what is lost costs time only."""

    def __init__(
        self, watch: JobWatch, link: BrokerLink, cancellation: Cancellation, background: Background
    ) -> None:
        self._watch = watch
        self._link = link
        self._cancellation = cancellation
        self._background = background

    def cancelled(self, tenant_id: UUID, attempts: Mapping[UUID, int]) -> None:
        """Stop the workers that have these jobs at these attempts; wake those who wait."""
        if attempts:
            self._watch.changed(attempts)
            self._background.run(self._tell_cancelled(tenant_id, attempts), what="tell of cancelled jobs")

    def changed(self, _tenant_id: UUID, job_ids: Collection[UUID]) -> None:
        """Wake those who wait."""
        if job_ids:
            self._watch.changed(job_ids)
            self._background.run(self._tell_changed(list(job_ids)), what="tell of changed jobs")

    async def _tell_cancelled(self, tenant_id: UUID, attempts: Mapping[UUID, int]) -> None:
        await self._cancellation.request_all(tenant_id, attempts)
        await self._tell_changed(list(attempts))

    async def _tell_changed(self, job_ids: Sequence[UUID]) -> None:
        for at in range(0, len(job_ids), JOBS_A_BROADCAST):
            await self._link.broadcast(JobsChanged(job_ids=tuple(job_ids[at : at + JOBS_A_BROADCAST])))
