"""Cancel, retry and erase a job; cancel and retry many."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from services.ingress.adapters.bulk_changes import BulkChanges, Change, Outcome
from services.ingress.adapters.change_notices import ChangeNotices
from services.ingress.adapters.job_changes import JobChanges, Reopened, reopen
from services.ingress.adapters.job_rows import JobRows, job_in
from services.ingress.api.answers import json_answer
from services.ingress.api.body import read_body
from services.ingress.api.context import context_of, principal_of
from services.ingress.api.idempotency import Created, CreateOnce
from services.ingress.api.job_answers import JobAnswers
from services.ingress.domain.after_the_end import (
    RETRIED_UNASKED,
    JobOpenError,
    why_not_cancelled,
    why_not_retried,
)
from services.ingress.domain.bulk import read_selection
from services.ingress.domain.checks import refuse_unknown
from services.ingress.domain.job import PREFIX, Job
from services.ingress.domain.job_times import JobLimits
from services.ingress.domain.json_text import parse_object
from services.ingress.domain.retrying import RETRY_FIELDS, RetryTerms, read_terms
from services.ingress.settings import IngressSection
from shared.contracts.ids import parse_public_id, public_id
from shared.errors import ConflictError, PenstockError
from shared.storage.postgres import Connection


class JobChangeEndpoints:
    """What the routes do that change jobs."""

    def __init__(
        self,
        *,
        answers: JobAnswers,
        rows: JobRows,
        changes: JobChanges,
        once: CreateOnce,
        bulk: BulkChanges,
        notices: ChangeNotices,
        settings: IngressSection,
        limits: JobLimits,
    ) -> None:
        self._answers = answers
        self._rows = rows
        self._changes = changes
        self._once = once
        self._bulk = bulk
        self._notices = notices
        self._settings = settings
        self._limits = limits
        self._cancelling = Change(
            kind="open", apply=changes.cancel, why_not=why_not_cancelled, tell=notices.cancelled
        )

    async def cancel(self, request: Request) -> Response:
        """End a job as cancelled, and tell the worker that may have it."""
        return await self._one(request, self._cancelling)

    async def retry(self, request: Request) -> Response:
        """Queue a job that ended without success again, as its next attempt; once for each key."""
        body = await self._body(request)
        tenant_id, job_id = principal_of(request).tenant_id, _job_id(request)
        done: list[tuple[Job, Reopened]] = []

        async def again(connection: Connection) -> Created:
            reopened = await reopen(connection, [job_id], self._terms(body))
            job = await job_in(connection, job_id)
            if not reopened.attempts:
                raise why_not_retried(job) or ConflictError("The job has just changed.")
            done.append((job, reopened))
            return Created(answer=self._answers.render(job))

        answer = await self._once(request, body, job_id, again)
        for job, reopened in done:
            context_of(request.scope).tell_job(job.id, job.lane)
            await self._notices.changed(tenant_id, reopened.attempts)
            await self._changes.drop(reopened.refs)
        return answer

    async def cancel_many(self, request: Request) -> Response:
        """Cancel jobs by their ids or by a filter."""
        wanted = read_selection(await self._fields(request))
        outcome = await self._bulk.run(principal_of(request).tenant_id, wanted, self._cancelling)
        return json_answer(_render(outcome, "cancel", dry_run=wanted.dry_run))

    async def retry_many(self, request: Request) -> Response:
        """Retry jobs by their ids or by a filter."""
        fields = await self._fields(request)
        wanted = read_selection(fields, more=RETRY_FIELDS, statuses=RETRIED_UNASKED)
        outcome = await self._bulk.run(principal_of(request).tenant_id, wanted, self._retrying(fields))
        return json_answer(_render(outcome, "retry", dry_run=wanted.dry_run))

    async def erase(self, request: Request) -> Response:
        """Erase request, result and events of a job that has its end; nothing more changes if they are."""
        tenant_id, job_id = principal_of(request).tenant_id, _job_id(request)
        await self._changes.erase(tenant_id, job_id)
        job = await self._rows.get(tenant_id, job_id)
        context_of(request.scope).tell_job(job.id, job.lane)
        if job.erased_at is None:
            raise JobOpenError(f"The job is {job.status}; cancel it first.")
        await self._notices.changed(tenant_id, [job_id])
        return json_answer(self._answers.render(job))

    def _terms(self, body: bytes) -> RetryTerms:
        fields = _fields_of(body)
        refuse_unknown(fields, RETRY_FIELDS)
        return read_terms(fields, self._limits, datetime.now(UTC))

    def _retrying(self, fields: Mapping[str, Any]) -> Change:
        terms = read_terms(fields, self._limits, datetime.now(UTC))
        return Change(
            kind="unsuccessful",
            apply=partial(self._changes.retry, terms=terms),
            why_not=why_not_retried,
            tell=self._notices.changed,
        )

    async def _one(self, request: Request, change: Change) -> Response:
        tenant_id, job_id = principal_of(request).tenant_id, _job_id(request)
        changed = await change.apply(tenant_id, [job_id])
        await change.tell(tenant_id, changed)
        job = await self._rows.get(tenant_id, job_id)
        context_of(request.scope).tell_job(job.id, job.lane)
        if not changed:
            raise change.why_not(job) or ConflictError("The job has just changed.")
        return json_answer(self._answers.render(job))

    async def _fields(self, request: Request) -> Mapping[str, Any]:
        return _fields_of(await self._body(request))

    async def _body(self, request: Request) -> bytes:
        return await read_body(
            request, max_bytes=self._settings.max_body_bytes, timeout_s=self._settings.body_timeout_s
        )


def _fields_of(body: bytes) -> Mapping[str, Any]:
    return parse_object(body) if body.strip() else {}


def _job_id(request: Request) -> UUID:
    return parse_public_id(PREFIX, request.path_params["job_id"])


def _render(outcome: Outcome, action: str, *, dry_run: bool) -> dict[str, object]:
    return {
        "object": "job.bulk_action",
        "action": action,
        "dry_run": dry_run,
        "count": len(outcome.changed),
        "job_ids": [public_id(PREFIX, job_id) for job_id in outcome.changed],
        "errors": [_refusal(job_id, error) for job_id, error in outcome.refused],
        "has_more": outcome.has_more,
        "last_id": None if outcome.last is None else public_id(PREFIX, outcome.last),
    }


def _refusal(job_id: UUID, error: PenstockError) -> dict[str, str]:
    return {"id": public_id(PREFIX, job_id), "code": error.code, "message": error.message}
