"""What is recorded of a background job, and what a batch of messages changed in it."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from shared.contracts.jobs import Failure, JobStatus, Usage
from shared.storage.transitions import JobEnd

STARTED, DEFERRED, AMBIGUOUS = "started", "deferred", "ambiguous"
"""Outcomes of an attempt beside the final states of a job."""

NO_USAGE = Usage()


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One start of a provider call."""

    start_id: UUID
    attempt: int
    worker: str
    started_at: datetime
    outcome: str = STARTED
    finished_at: datetime | None = None
    provider: str | None = None
    failure: Failure | None = None
    usage: Usage = NO_USAGE
    changed: bool = False
    """Whether the batch changed it."""

    def close(
        self,
        outcome: str,
        at: datetime,
        *,
        provider: str | None = None,
        failure: Failure | None = None,
        usage: Usage = NO_USAGE,
    ) -> None:
        """Say how it ended."""
        self.outcome, self.finished_at = outcome, at
        self.provider, self.failure, self.usage = provider, failure, usage
        self.changed = True


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a job's event stream."""

    sequence: int
    type: str
    data: str


@dataclass(slots=True, kw_only=True)
class JobRecord:
    """A background job, locked, as the database has it and then as the batch changes it."""

    job_id: UUID
    tenant_id: UUID
    status: JobStatus
    attempt: int
    last_event: int
    settled_attempts: int = 0
    """The caller had the job retried after this attempt: what it and earlier ones bring counts no more."""
    started_at: datetime | None = None
    current_start: UUID | None = None
    """The start whose deltas count (``jobs.delta_start_id``)."""
    delta_sequence: int | None = None
    """Number of its newest recorded delta."""
    attempts: dict[UUID, Attempt] = field(default_factory=dict)

    changed: bool = False
    added_usage: list[Usage] = field(default_factory=list)
    added_ambiguous: int = 0
    events: list[Event] = field(default_factory=list)
    announced: bool = False
    """A start of the current attempt arrived: the job is on the broker and held."""
    retry_at: datetime | None = None
    """When the attempt is due again, if the batch put it off."""
    end: JobEnd | None = None
    """How it ended, if it ended in this batch; after that only its account changes."""

    @property
    def ended(self) -> bool:
        """Whether it has its end, from this batch or from before."""
        return self.end is not None or self.status.final

    @property
    def deltas(self) -> int:
        """How many deltas of the current start are recorded, from the first without a gap."""
        return 0 if self.delta_sequence is None else self.delta_sequence + 1

    def append(self, event_type: str, data: str) -> None:
        """Add an event with the next number."""
        self.last_event += 1
        self.events.append(Event(self.last_event, event_type, data))
        self.changed = True

    def outdated(self, start_id: UUID | None, attempt: int) -> bool:
        """Whether a later attempt, or a start that began later, has taken over already."""
        return attempt < self.attempt or (start_id is not None and self._began_before_current(start_id))

    def superseded(self, start_id: UUID | None, attempt: int) -> bool:
        """Whether a later start, or a later attempt, has taken the place of this one."""
        known = start_id is not None and start_id in self.attempts
        return self.outdated(start_id, attempt) or (known and start_id != self.current_start)

    def _began_before_current(self, start_id: UUID) -> bool:
        """Compare milliseconds: the id of a start is a UUIDv7."""
        return self.current_start is not None and start_id.int >> 80 < self.current_start.int >> 80
