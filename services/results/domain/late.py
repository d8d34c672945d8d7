"""What still counts of a job that has its end: which calls were made for it, and what they cost."""

from datetime import datetime

from services.results.domain import starts
from services.results.domain.records import AMBIGUOUS, DEFERRED, JobRecord
from shared.contracts.jobs import JobDeferred, JobDelta, JobFinished, JobStarted


def apply_late(
    job: JobRecord, message: JobStarted | JobDelta | JobDeferred | JobFinished, now: datetime
) -> bool:
    """Let a message change the account of a job that has ended; its end, answer and events stay.

    Returns:
        Whether it changed anything.
    """
    match message:
        case JobStarted():
            attempt = starts.announce(job, message)
            if attempt is None:
                return False
            attempt.close(AMBIGUOUS, now)
            return True
        case JobDeferred():
            return starts.close(job, message, DEFERRED, now)
        case JobFinished():
            return starts.close(job, message, message.status, message.finished_at)
        case JobDelta():
            return False
