"""``/v1/jobs``: submit, look, list, fetch the result."""

import math
from datetime import UTC, datetime
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from services.ingress.adapters.job_rows import JobRows
from services.ingress.api.answers import json_answer
from services.ingress.api.body import read_body
from services.ingress.api.context import context_of, principal_of
from services.ingress.api.idempotency import key_use
from services.ingress.api.job_answers import JobAnswers
from services.ingress.domain.job import PREFIX
from services.ingress.domain.job_filter import read_filter
from services.ingress.domain.job_times import JobLimits, read_cancel_after
from services.ingress.domain.submission import Submission, read_submission, resolve_input
from services.ingress.settings import IngressSection
from shared.config.catalog import Catalog
from shared.contracts.ids import parse_public_id, public_id
from shared.errors import UnprocessableRequestError
from shared.security.egress import EgressPolicy


class JobEndpoints:
    """What the routes of jobs do."""

    def __init__(
        self,
        *,
        answers: JobAnswers,
        rows: JobRows,
        catalog: Catalog,
        settings: IngressSection,
        limits: JobLimits,
        egress: EgressPolicy,
    ) -> None:
        self._answers = answers
        self._rows = rows
        self._catalog = catalog
        self._settings = settings
        self._limits = limits
        self._egress = egress

    async def submit(self, request: Request) -> Response:
        """Accept a job."""
        body = await read_body(
            request, max_bytes=self._settings.max_body_bytes, timeout_s=self._settings.body_timeout_s
        )
        now = datetime.now(UTC)
        use = key_use(request, body)

        def read() -> Submission:
            cancel_after = read_cancel_after(context_of(request.scope).given.get(b"cancel-after"), now)
            submission = read_submission(body, self._limits, self._egress, now, cancel_after)
            resolve_input(self._catalog, submission)
            return submission

        return await self._answers.told(await self._answers.accepted(request, use, now, read), request)

    async def get(self, request: Request) -> Response:
        """Show a job, after its end where the caller waits for that."""
        job = await self._answers.waited(request, self._job_id(request), _wait_s(request))
        context_of(request.scope).tell_job(job.id, job.lane)
        return json_answer(self._answers.render(job))

    async def result(self, request: Request) -> Response:
        """Answer as the synchronous route would have."""
        job = await self._answers.waited(request, self._job_id(request), _wait_s(request))
        context_of(request.scope).tell_job(job.id, job.lane)
        return await self._answers.result(principal_of(request).tenant_id, job.id)

    async def list(self, request: Request) -> Response:
        """Show one page of jobs."""
        wanted = read_filter(dict(request.query_params))
        jobs, has_more = await self._rows.page(principal_of(request).tenant_id, wanted)
        ids = [public_id(PREFIX, job.id) for job in jobs]
        page = {
            "object": "list",
            "data": [self._answers.render(job) for job in jobs],
            "first_id": ids[0] if ids else None,
            "last_id": ids[-1] if ids else None,
            "has_more": has_more,
        }
        return json_answer(page)

    def _job_id(self, request: Request) -> UUID:
        return parse_public_id(PREFIX, request.path_params["job_id"])


def _wait_s(request: Request) -> float:
    text = request.query_params.get("wait")
    if text is None:
        return 0.0
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise UnprocessableRequestError("'wait' must be a number of seconds from 0.", param="wait")
    return seconds
