"""When a job may start and when it must be done."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.ingress.domain.moments import read_header_moment, read_moment
from shared.errors import UnprocessableRequestError

CANCEL_AFTER = "Cancel-After"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """What the operator allows."""

    deadline_s: float
    max_deadline_s: float
    max_run_in_s: float
    attempts: int
    max_attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTimes:
    """Both times of a job."""

    run_at: datetime | None
    deadline_at: datetime


def read_times(
    fields: Mapping[str, Any], limits: JobLimits, now: datetime, cancel_after: datetime | None
) -> JobTimes:
    """Read ``run_at`` and ``deadline``; seconds of a deadline count from when the job may start.

    Args:
        fields: Of the submission.
        limits: Of both times.
        now: When the request came.
        cancel_after: What the header says; the earlier of it and ``deadline`` counts.

    Raises:
        InvalidRequestError: With ``run_at``, ``deadline`` or ``Cancel-After`` as the field at fault.
    """
    run_at = _run_at(fields.get("run_at"), limits, now)
    start = now if run_at is None else max(now, run_at)
    latest = start + timedelta(seconds=limits.max_deadline_s)
    wanted = []
    if fields.get("deadline") is not None:
        deadline = read_moment(fields["deadline"], param="deadline", since=start)
        wanted.append(_within(deadline, start, latest, limits, "deadline"))
    if cancel_after is not None:
        wanted.append(_within(cancel_after, start, latest, limits, CANCEL_AFTER))
    default = min(start + timedelta(seconds=limits.deadline_s), latest)
    return JobTimes(run_at=run_at, deadline_at=min(wanted, default=default))


def read_deadline(value: object, limits: JobLimits, now: datetime) -> datetime:
    """Read the deadline of work that may start at once; seconds count from ``now``.

    Raises:
        InvalidRequestError: With ``deadline`` as the field at fault.
    """
    latest = now + timedelta(seconds=limits.max_deadline_s)
    return _within(read_moment(value, param="deadline", since=now), now, latest, limits, "deadline")


def read_cancel_after(
    header: bytes | None, now: datetime, *, may_have_passed: bool = False
) -> datetime | None:
    """Read the header ``Cancel-After``; None without one.

    Raises:
        UnprocessableRequestError: It is no time, or one that has passed and may not have.
    """
    if header is None:
        return None
    moment = read_header_moment(header.decode("latin-1"), param=CANCEL_AFTER, since=now)
    if moment <= now and not may_have_passed:
        raise UnprocessableRequestError(f"{CANCEL_AFTER} must lie in the future.", param=CANCEL_AFTER)
    return moment


def _run_at(value: object, limits: JobLimits, now: datetime) -> datetime | None:
    """Read it; a time that has passed means at once, as a clock may be a little ahead."""
    if value is None:
        return None
    moment = read_moment(value, param="run_at", since=now)
    if moment > now + timedelta(seconds=limits.max_run_in_s):
        raise UnprocessableRequestError(
            f"'run_at' must be at most {limits.max_run_in_s:g} seconds from now.", param="run_at"
        )
    return moment if moment > now else None


def _within(moment: datetime, start: datetime, latest: datetime, limits: JobLimits, param: str) -> datetime:
    if start < moment <= latest:
        return moment
    raise UnprocessableRequestError(
        f"'{param}' must lie after the job's start (now, or 'run_at'), by at most "
        f"{limits.max_deadline_s:g} seconds.",
        param=param,
    )
