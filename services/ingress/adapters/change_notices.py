"""News of what callers changed: to those who wait here and elsewhere, and to the workers."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from services.ingress.adapters.background import Background
from services.ingress.adapters.broker_link import BrokerLink
from services.ingress.adapters.cancellation import Cancellation
from services.ingress.adapters.job_watch import JobWatch
from shared.contracts.jobs import JOBS_A_BROADCAST, JobsChanged
from shared.runtime.crash_points import CrashPoint, crash_points


class ChangeNotices:
    """Spreads news; what is lost costs time only."""

    def __init__(
        self, watch: JobWatch, link: BrokerLink, cancellation: Cancellation, background: Background
    ) -> None:
        self._watch = watch
        self._link = link
        self._cancellation = cancellation
        self._background = background

    async def cancelled(self, tenant_id: UUID, attempts: Mapping[UUID, int]) -> None:
        """Stop the workers that have these jobs at these attempts, as far as they can be reached.

        The caller hears of the cancellation after that, and those who wait elsewhere are woken in the
        background.
        """
        if attempts:
            self._watch.changed(attempts)
            crash_points.reach(CrashPoint.CANCEL_COMMITTED)
            await self._cancellation.request_all(tenant_id, attempts)
            crash_points.reach(CrashPoint.CANCEL_TOLD)
            self._background.run(self._tell_changed(list(attempts)), what="tell of cancelled jobs")

    async def changed(self, _tenant_id: UUID, job_ids: Collection[UUID]) -> None:
        """Wake those who wait, in the background where they wait elsewhere."""
        if job_ids:
            self._watch.changed(job_ids)
            self._background.run(self._tell_changed(list(job_ids)), what="tell of changed jobs")

    async def _tell_changed(self, job_ids: Sequence[UUID]) -> None:
        for at in range(0, len(job_ids), JOBS_A_BROADCAST):
            await self._link.broadcast(JobsChanged(job_ids=tuple(job_ids[at : at + JOBS_A_BROADCAST])))
