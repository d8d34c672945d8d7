"""What is known of the starts of a job, each of which may be a provider call that costs money.

Every start gets a row, in whatever order the reports of it come, and what it used is added to its job once.
The counts do not depend on that order: of the starts of one attempt, all but one are ambiguous.
"""

from datetime import datetime

from services.results.domain.records import AMBIGUOUS, NO_USAGE, STARTED, Attempt, JobRecord
from shared.contracts.jobs import JobDeferred, JobFinished, JobStarted
from shared.storage.transitions import storable


def announce(job: JobRecord, message: JobStarted) -> Attempt | None:
    """Note a start that its worker announced; None if it is known already.

    Where the word of its end came first, only that word is completed.
    """
    known = job.attempts.get(message.start_id)
    if known is None:
        return _note(
            job,
            Attempt(
                start_id=message.start_id,
                attempt=message.attempt,
                worker=storable(message.worker),
                started_at=message.started_at,
            ),
        )
    if not known.worker:
        known.worker, known.started_at = storable(message.worker), message.started_at
        known.changed = True
    return None


def close(job: JobRecord, message: JobDeferred | JobFinished, outcome: str, at: datetime) -> bool:
    """Record how one start ended and what it used; False if that is known already.

    A start that ended with its job, unheard, has used nothing yet: its own word is still to come.
    """
    if message.start_id is None:
        return False
    attempt = job.attempts.get(message.start_id) or _overtaken(job, message, at)
    unheard = attempt.outcome in (STARTED, AMBIGUOUS) or attempt.usage == NO_USAGE != message.usage
    if not unheard:
        return False
    attempt.close(outcome, at, provider=message.provider, failure=message.failure, usage=message.usage)
    job.added_usage.append(message.usage)
    job.changed = True
    return True


def end(job: JobRecord, message: JobFinished) -> None:
    """Note the start that ends its job; how it ended and what it used is written with the end."""
    if message.start_id is None:
        return
    attempt = job.attempts.get(message.start_id) or _overtaken(job, message, message.finished_at)
    attempt.outcome, attempt.usage = message.status, message.usage


def _overtaken(job: JobRecord, message: JobDeferred | JobFinished, at: datetime) -> Attempt:
    """Note a start whose end came before its announcement."""
    if message.start_id is None:
        raise ValueError("no call was begun")
    started_at = message.started_at if isinstance(message, JobFinished) else None
    return _note(
        job,
        Attempt(start_id=message.start_id, attempt=message.attempt, worker="", started_at=started_at or at),
    )


def _note(job: JobRecord, attempt: Attempt) -> Attempt:
    if any(known.attempt == attempt.attempt for known in job.attempts.values()):
        job.added_ambiguous += 1
        job.changed = True
    job.attempts[attempt.start_id] = attempt
    attempt.changed = True
    return attempt
