"""What waits: workers say what they have in hand, the scheduler's leader says what is to be expected.

Both are broadcasts of every second, and both are hints: whoever misses one gets the next.
"""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.base import Contract
from shared.contracts.jobs import Lane, Operation


class QueueLoad(BaseModel):
    """One job queue as one worker has it. Counters begin with the worker's process."""

    model_config = ConfigDict(frozen=True)

    queue: str
    waiting: int = Field(ge=0)
    """Taken off the queue and not begun."""
    running: int = Field(ge=0)
    """In a slot: from the beginning of a job until its record is confirmed."""
    done: int = Field(ge=0)
    """Jobs that left their slot so far."""
    slot_s: float = Field(ge=0)
    """Seconds that those took in their slots, all together."""
    oldest_at: float | None = None
    """Unix time at which the oldest of those that wait here came to the queue."""


class WorkerLoad(Contract):
    """Broadcast: what a worker has in hand; idle queues are left out."""

    message_type: ClassVar[str] = "worker.load.v1"

    worker: str
    queues: tuple[QueueLoad, ...]


class QueueEstimate(BaseModel):
    """What is known of one operation's queue in one lane."""

    model_config = ConfigDict(frozen=True)

    operation: Operation
    lane: Lane
    waiting: int = Field(ge=0)
    """Jobs that have not begun: on the broker, in the hands of workers, and due but not published."""
    running: int = Field(ge=0)
    arrived: int = Field(ge=0)
    """Counts jobs that came to the queue, from when the sender began to lead."""
    per_second: float | None = None
    """Jobs that the workers do in a second while jobs wait; None while unknown."""
    oldest_age_s: float | None = None
    """How long the oldest job has waited; None when none waits."""
    consumers: int = Field(default=0, ge=0)
    """Subscriptions of workers that may take from it."""

    @property
    def active(self) -> bool:
        """Whether there is anything to do."""
        return self.waiting > 0 or self.running > 0

    @property
    def wait_s(self) -> float | None:
        """Seconds until a job begins that comes now; None while unknown."""
        if not self.waiting:
            return 0.0
        return None if self.per_second is None else self.waiting / self.per_second


class BacklogEstimated(Contract):
    """Broadcast: every queue that has work; in the others nothing waits. Some 30 queues fit."""

    message_type: ClassVar[str] = "backlog.estimated.v1"

    term: str
    """Names the sender's time as leader; ``arrived`` counts from its beginning."""
    queues: tuple[QueueEstimate, ...]
