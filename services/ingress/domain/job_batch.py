"""Many submissions in one request: which are accepted, and what is wrong with the others."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.ingress.domain.job import PREFIX
from services.ingress.domain.job_times import JobLimits
from services.ingress.domain.new_job import NewJob
from services.ingress.domain.submission import Submission, read_submission, resolve_input
from shared.config.catalog import Catalog
from shared.contracts.ids import public_id
from shared.contracts.jobs import JobStatus
from shared.errors import InvalidRequestError, PayloadTooLargeError, UnprocessableRequestError
from shared.http.errors import openai_error
from shared.security.egress import EgressPolicy


class NoJobAcceptedError(UnprocessableRequestError):
    """Each job of a batch has something wrong with it, or there is none."""

    code = "no_job_accepted"


@dataclass(slots=True, kw_only=True)
class JobBatch:
    """A batch while it is read; indices count from 0."""

    catalog: Catalog
    limits: JobLimits
    egress: EgressPolicy
    now: datetime
    cancel_after: datetime | None
    max_jobs: int
    max_job_bytes: int
    good: list[tuple[int, Submission]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)

    def add(self, text: bytes) -> None:
        """Check the next job as ``POST /v1/jobs`` does.

        Raises:
            UnprocessableRequestError: There are too many.
        """
        index = len(self.good) + len(self.errors)
        if index >= self.max_jobs:
            raise UnprocessableRequestError(f"A batch has at most {self.max_jobs} jobs.", param="jobs")
        try:
            if len(text) > self.max_job_bytes:
                raise PayloadTooLargeError(f"A job must not be longer than {self.max_job_bytes} bytes.")
            submission = read_submission(text, self.limits, self.egress, self.now, self.cancel_after)
            resolve_input(self.catalog, submission)
        except InvalidRequestError as error:
            self.errors.append({"index": index, **openai_error(error)})
        else:
            self.good.append((index, submission))

    def check_any(self) -> None:
        """Check that there is something to accept.

        Raises:
            NoJobAcceptedError: There is nothing.
        """
        if not self.good:
            size = len(self.errors)
            raise NoJobAcceptedError(
                f"None of the {size} jobs can be accepted." if size else "The batch has no job.", param="jobs"
            )

    def render(self, jobs: Sequence[NewJob]) -> dict[str, Any]:
        """Spell the answer.

        Args:
            jobs: What became of :attr:`good`, in its order.
        """
        return {
            "object": "job.batch",
            "accepted": len(jobs),
            "failed": len(self.errors),
            "jobs": [
                {"index": index, "id": public_id(PREFIX, job.job_id), "status": JobStatus.QUEUED}
                for (index, _), job in zip(self.good, jobs, strict=True)
            ],
            "errors": self.errors,
        }
