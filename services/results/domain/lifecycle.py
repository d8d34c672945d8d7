"""The rules by which messages change an open background job; each may come twice, late or never.

A message that no longer applies changes nothing, but every start and what it used is recorded, whenever word
of it comes. The first end counts, with two refinements: the failure of a start that a later one has taken the
place of does not end the job, the later start decides; and after the caller had a job retried, no attempt
from before ends it, whatever it brings.

Deltas are recorded in their order only. One that was overtaken, because the process that had it died, is not
recorded, nor are those behind it: the end then brings the whole answer as one more delta.
"""

from datetime import datetime
from functools import singledispatch
from uuid import UUID

import orjson

from services.results.domain import starts
from services.results.domain.late import apply_late
from services.results.domain.records import AMBIGUOUS, DEFERRED, STARTED, JobRecord
from services.results.domain.whole import chunk_of
from shared.contracts.jobs import (
    Failure,
    JobDeferred,
    JobDelta,
    JobFinished,
    JobStarted,
    JobStatus,
)
from shared.storage.transitions import JobEnd, failure_document, storable

_IN_PROGRESS = orjson.dumps({"status": JobStatus.IN_PROGRESS}).decode()
JobMessage = JobStarted | JobDelta | JobDeferred | JobFinished

SILENT_START = Failure(
    code="ambiguous_attempt",
    message="The worker that ran the job went silent; another one has started it again.",
    http_status=502,
)


def apply(job: JobRecord, message: JobMessage, *, now: datetime) -> bool:
    """Let one message change the record; messages of a job come in the order of their arrival.

    Returns:
        Whether it changed anything.
    """
    return apply_late(job, message, now) if job.ended else _apply(message, job, now)


@singledispatch
def _apply(message: object, _job: JobRecord, _now: datetime) -> bool:
    raise TypeError(f"no rule for {type(message).__name__}")


@_apply.register
def _started(message: JobStarted, job: JobRecord, now: datetime) -> bool:
    open_starts = [attempt for attempt in job.attempts.values() if attempt.outcome == STARTED]
    attempt = starts.announce(job, message)
    if attempt is None:
        return False
    if job.outdated(message.start_id, message.attempt):
        attempt.close(AMBIGUOUS, now)
        return True
    for earlier in open_starts:
        earlier.close(AMBIGUOUS, now)
    job.announced = job.changed = True
    job.started_at = job.started_at or message.started_at
    if job.current_start != message.start_id:  # else its deltas overtook it
        retrying = _retrying(job.attempt, message.started_at, SILENT_START) if open_starts else None
        _begin(job, message.start_id, retrying)
    return True


@_apply.register
def _delta(message: JobDelta, job: JobRecord, _now: datetime) -> bool:
    if message.start_id != job.current_start:
        known = message.start_id in job.attempts
        if known or message.sequence > 0 or job.outdated(message.start_id, job.attempt):
            return False
        _begin(job, message.start_id)
    if message.sequence != job.deltas:
        return False
    job.delta_sequence = message.sequence
    _append_chunks(job, message.body)
    return True


@_apply.register
def _deferred(message: JobDeferred, job: JobRecord, now: datetime) -> bool:
    superseded = job.superseded(message.start_id, message.attempt)
    if not starts.close(job, message, DEFERRED, now):
        return False
    if superseded:
        return True
    job.status = JobStatus.QUEUED
    job.attempt += 1
    job.current_start = job.delta_sequence = None
    job.announced = False
    job.retry_at = message.retry_at
    job.append("job.retrying", _retrying(job.attempt, message.retry_at, message.failure))
    return True


@_apply.register
def _finished(message: JobFinished, job: JobRecord, _now: datetime) -> bool:
    counts = message.status is JobStatus.COMPLETED and message.attempt > job.settled_attempts
    if not counts and job.superseded(message.start_id, message.attempt):
        return starts.close(job, message, message.status, message.finished_at)
    if _chunks_are_missing(job, message):
        job.append("job.in_progress", _IN_PROGRESS)
        _append_chunks(job, chunk_of(message.body))
    starts.end(job, message)
    job.end = JobEnd(
        job_id=message.job_id,
        status=message.status,
        finished_at=message.finished_at,
        failure=message.failure,
        result=text_of(message.body) if message.body else None,
        result_ref=message.body_ref,
        provider=message.provider,
        provider_model=message.provider_model,
        usage=message.usage,
        start_id=message.start_id,
        started_at=message.started_at,
    )
    return True


def _begin(job: JobRecord, start_id: UUID, retrying: str | None = None) -> None:
    """Let the chunks of a start be those that count, and say so where others stand before them."""
    if job.status is JobStatus.QUEUED:
        job.status = JobStatus.IN_PROGRESS
        job.append("job.in_progress", _IN_PROGRESS)
    elif retrying is not None:
        job.append("job.retrying", retrying)
    elif job.deltas:
        job.append("job.in_progress", _IN_PROGRESS)
    job.current_start, job.delta_sequence = start_id, None


def _chunks_are_missing(job: JobRecord, message: JobFinished) -> bool:
    """Whether the events hold less than the answer: a delta was overtaken, or another start's are there."""
    complete = message.start_id == job.current_start and message.deltas == job.deltas
    return message.deltas > 0 and bool(message.body) and not complete


def _append_chunks(job: JobRecord, lines: bytes) -> None:
    chunks = b",".join(line for line in lines.split(b"\n") if line)
    job.append("job.delta", text_of(b'{"chunks":[%s]}' % chunks))


def text_of(body: bytes) -> str:
    """Read a provider's bytes as the text that PostgreSQL can hold; what is not UTF-8 becomes U+FFFD."""
    return storable(body.decode("utf-8", "replace"))


def _retrying(attempt: int, retry_at: datetime, failure: Failure) -> str:
    """Spell the event that voids the deltas before it; ``attempt`` is the one to come."""
    return orjson.dumps(
        {"attempt": attempt, "retry_at": retry_at, "failure": failure_document(failure)}
    ).decode()
