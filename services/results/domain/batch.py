"""What one batch of messages asks for, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.results.domain.lifecycle import JobMessage
from shared.contracts.jobs import JobFinished, JobsHeld


@dataclass(slots=True)
class Batch:
    """Messages sorted by what they are about; the order within a job is the order of arrival."""

    background: list[JobMessage] = field(default_factory=list)
    """About jobs that have a row."""
    synchronous: list[JobFinished] = field(default_factory=list)
    """About jobs that get their row now."""
    held: set[UUID] = field(default_factory=set)
    """Jobs that a worker says it has."""

    def add(self, message: JobMessage | JobsHeld) -> None:
        """Sort one message in."""
        if isinstance(message, JobsHeld):
            self.held.update(message.job_ids)
        elif isinstance(message, JobFinished) and not message.background:
            self.synchronous.append(message)
        else:
            self.background.append(message)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a batch changed."""

    changed: Sequence[UUID]
    """Background jobs with new events."""
    ended: Sequence[str]
    """The final state of each job that ended, background or not."""
    ignored: int
    """Messages that came twice, or too late to matter."""
    unwanted: Mapping[UUID, int] = field(default_factory=dict)
    """Jobs that a worker has begun after their end, at these attempts: it had not heard of it."""
