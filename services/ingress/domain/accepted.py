"""A job that is durable, and what its submitter is told."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedJob:
    """As it was accepted, now or by an earlier request with the same idempotency key."""

    job_id: UUID
    lane: str
    answer: bytes
    """The job object as of its acceptance."""
    replayed: bool = False
