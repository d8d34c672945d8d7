"""The queues of the fleet by the names that an operator writes."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.contracts.jobs import Lane, Operation
from shared.errors import ConflictError, DependencyUnavailableError, NotFoundError
from shared.messaging.topology import FLEET, job_queue, job_topic


class QueueNotSteerableError(ConflictError):
    """What the queue holds is of no caller's doing, so it is not for the operator to stop or drop."""

    code = "queue_not_steerable"


class QueueDrainingError(DependencyUnavailableError):
    """An operator lets the queue run empty: it takes no new work for the time being."""

    code = "queue_draining"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetQueue:
    """A queue, and what its jobs are; both None for a queue that holds no jobs."""

    name: str
    operation: Operation | None = None
    lane: Lane | None = None

    @property
    def topic(self) -> str | None:
        """Where new jobs are published that reach it."""
        if self.operation is None or self.lane is None:
            return None
        return job_topic(self.operation, self.lane)

    def require_jobs(self, what: str) -> None:
        """Check that it is a queue of jobs.

        Raises:
            QueueNotSteerableError: It is not.
        """
        if self.operation is None:
            raise QueueNotSteerableError(
                f"{self.name} holds no jobs but records of them: it cannot be {what}."
            )


_OF_JOBS: Mapping[str, FleetQueue] = {
    job_queue(operation, lane): FleetQueue(name=job_queue(operation, lane), operation=operation, lane=lane)
    for operation in Operation
    for lane in Lane
}
FLEET_QUEUES = tuple(_OF_JOBS.get(name, FleetQueue(name=name)) for name in FLEET.by_name)
_BY_NAME = {queue.name: queue for queue in FLEET_QUEUES}


def fleet_queue(name: str) -> FleetQueue:
    """Find a queue by its name, with or without its version: ``jobs.chat.batch`` or ``jobs.chat.batch.v1``.

    Raises:
        NotFoundError: There is none.
    """
    found = _BY_NAME.get(name) or _BY_NAME.get(f"{name}.v1")
    if found is None:
        raise NotFoundError(f"There is no queue {name[:80]!r}.")
    return found
