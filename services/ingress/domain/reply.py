"""A worker's replies, read as far as a waiting caller needs them; results reads the rest."""

from typing import ClassVar

from shared.contracts.base import Contract
from shared.contracts.jobs import Failure, JobDelta, JobFinished, JobStatus


class ReplyDelta(Contract):
    """A ``JobDelta``: chunks of a stream."""

    message_type: ClassVar[str] = JobDelta.message_type

    start_id: str
    sequence: int


class ReplyEnd(Contract):
    """A ``JobFinished``: the answer, or why there is none."""

    message_type: ClassVar[str] = JobFinished.message_type

    status: JobStatus
    start_id: str | None = None
    deltas: int = 0
    failure: Failure | None = None
    body_ref: str | None = None
