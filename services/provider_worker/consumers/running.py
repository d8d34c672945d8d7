"""The jobs that run in this process, so that they can be stopped."""

import asyncio
import sys
from collections import OrderedDict
from dataclasses import dataclass, field
from uuid import UUID

_REMEMBERED = 10_000


@dataclass(slots=True)
class Run:
    """One job while its handler runs."""

    attempt: int
    cancelled: bool = False
    recorded: bool = False
    """How this attempt ended is on the broker; set by the handler."""
    scope: asyncio.Timeout | None = None
    """Around the provider call, while there is one."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def cancel(self) -> None:
        """Abort the provider call at once, or keep it from beginning."""
        self.cancelled = True
        if self.scope is not None and not self.scope.expired():
            self.scope.reschedule(asyncio.get_running_loop().time())


class RunningJobs:
    """Runs by job, and the cancellations that came before their jobs."""

    def __init__(self) -> None:
        self._runs: dict[UUID, Run] = {}
        self._cancelled_early: OrderedDict[UUID, int] = OrderedDict()

    async def begin(self, job_id: UUID, attempt: int) -> Run | None:
        """Register a run, to be ended by :meth:`end`; waits while another delivery of the same job runs here.

        That happens when the broker gave a delivery out anew because its connection broke, and when the
        next attempt comes before the deferral of this one is confirmed.

        Returns:
            The run; None when the other one has recorded how this attempt, or a later one, ended.
        """
        while (other := self._runs.get(job_id)) is not None:
            await other.ended.wait()
            if other.recorded and other.attempt >= attempt:
                return None
        cancelled = attempt <= self._cancelled_early.get(job_id, 0)
        run = self._runs[job_id] = Run(attempt, cancelled=cancelled)
        return run

    def end(self, job_id: UUID) -> None:
        """Remove a run, and let another delivery of the job go on."""
        self._runs.pop(job_id).ended.set()

    def cancel(self, job_id: UUID, newest: int | None) -> None:
        """Stop a job that runs here, or remember for when it comes off a queue.

        Args:
            job_id: The job.
            newest: Later attempts go on: the caller had the job retried. None stops any.
        """
        newest = sys.maxsize if newest is None else newest
        run = self._runs.get(job_id)
        if run is not None and run.attempt <= newest:
            run.cancel()
            return
        self._cancelled_early[job_id] = max(newest, self._cancelled_early.get(job_id, 0))
        if len(self._cancelled_early) > _REMEMBERED:
            self._cancelled_early.popitem(last=False)
